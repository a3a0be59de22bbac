//! The month: where it begins, who may still call, when it will be empty.

use jiff::tz::TimeZone;

/// What is set about the month.
#[derive(Debug, Clone)]
pub struct MonthRules {
    /// Calls that the plan allows; `None` is unlimited (R55).
    pub limit: Option<u64>,
    /// Where the 1st begins at 00:00 (A11).
    pub zone: TimeZone,
    /// The last so many percent are for paging alone (G4).
    pub page_reserve_percent: u8,
}

impl Default for MonthRules {
    fn default() -> Self {
        Self { limit: Some(10_000), zone: TimeZone::fixed(jiff::tz::offset(8)), page_reserve_percent: 3 }
    }
}
