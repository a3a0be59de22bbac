//! The call budget: who may call the platform, and when. All of it is pure functions over the rows that all
//! processes share ([`crate::core::permit_rows`]), with the clock injected; the service asks them on behalf of
//! its process.

pub(crate) mod audit;
pub(crate) mod bucket;
mod clock;
mod codec;
pub mod limits;
#[cfg(test)]
mod model;
pub(crate) mod month;
pub(crate) mod notes;
pub(crate) mod pairing;
pub(crate) mod report;
pub(crate) mod round;
pub(crate) mod tally;

pub use clock::{BootClock, MachineClock};
pub use month::MonthRules;
