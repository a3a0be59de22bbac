//! Permits for this process. The ledger decides, the store keeps; here the two are brought together, so that
//! calls can wait for their turn.

mod actor;
mod handle;

pub use handle::Ledger;
