//! Permits for this process. The ledger decides, the store keeps; here the two are brought together, so that
//! calls can wait for their turn.

mod actor;
mod decider;
mod handle;
mod times;

pub use handle::Ledger;
