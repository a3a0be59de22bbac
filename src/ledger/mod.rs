//! The call budget: who may call the platform, and when. Decisions are pure functions over the rows that
//! all processes share ([`crate::core::permit_rows`]); [`Ledger`] asks for them on behalf of this process.

mod handle;
mod month;

pub use handle::{BootClock, Ledger};
pub use month::MonthRules;
