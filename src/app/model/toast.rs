//! Notices in passing.

use crate::core::{text::SafeText, time::Timestamp};

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For information.
    Info,
    /// Something went well.
    Ok,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

/// A notice that goes away by itself and never takes the focus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// How much it matters.
    pub level: Level,
    /// What.
    pub text: SafeText,
    /// What to do next.
    pub hint: Option<SafeText>,
    /// When it goes.
    pub until: Timestamp,
}
