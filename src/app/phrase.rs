//! Texts of the screen that more than one place uses, in both languages.

use crate::core::lang::{Phrase, phrase};

/// Filters of the users.
pub const FILTERS: [Phrase; 3] =
    [phrase("All", "全部"), phrase("Linked", "已关联"), phrase("Unlinked", "未关联")];
