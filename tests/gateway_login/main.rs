//! Signing in over real HTTP, at the simulated platform: who is linked, who is refused and why, and what a
//! browser can and cannot do with what it holds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod browser;
mod clock;
#[path = "../common/mod.rs"]
mod common;
mod invitation;
mod linking;
mod page;
mod place;
#[path = "../common/postgres.rs"]
mod postgres;
mod sign_in;
