//! The Message Card Request URL over real sockets: what the platform sends is taken once, and nothing else is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod both_ways;
#[path = "../common/mod.rs"]
mod common;
mod events;
mod press;
mod pushed;
mod refused;
mod serving;
mod stand;
mod tls;
