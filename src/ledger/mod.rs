//! The call budget: who may call the platform, and when. Decisions are pure functions over the rows that
//! all processes share ([`crate::core::permit_rows`]); [`Ledger`] asks for them on behalf of this process.

mod actor;
mod bucket;
mod clock;
mod codec;
mod handle;
pub mod limits;
#[cfg(test)]
mod model;
mod month;
mod notes;
mod report;
mod round;

pub use clock::{BootClock, MachineClock};
pub use handle::Ledger;
pub use month::MonthRules;
