//! Pane 4: the call budget.

use super::Load;
use crate::core::{quota::QuotaReport, time::Timestamp};

/// Pane 4.
#[derive(Debug, Clone, Default)]
pub struct Quota {
    /// How far it is.
    pub load: Load,
    /// The figures.
    pub report: Option<QuotaReport>,
    /// When they came.
    pub at: Option<Timestamp>,
    /// First row of text on screen.
    pub scroll: u16,
}
