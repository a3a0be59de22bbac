//! Texts of the screen that more than one place uses, in both languages.

use crate::core::{
    lang::{Phrase, phrase},
    role::Role,
};

/// A role in words.
pub const fn role_word(role: Role) -> Phrase {
    match role {
        Role::Viewer => phrase("viewer", "查看者"),
        Role::Responder => phrase("responder", "响应者"),
        Role::Admin => phrase("admin", "管理员"),
    }
}

/// Filters of the users.
pub const FILTERS: [Phrase; 3] =
    [phrase("All", "全部"), phrase("Linked", "已关联"), phrase("Unlinked", "未关联")];
