//! Roles hold: whatever keys are pressed and commands given, a viewer's process writes nothing and calls nothing,
//! and a read-only one changes no tenant, link, room or setting.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/postgres.rs"]
mod postgres;

mod commands;
mod console;
mod database;
mod watched;
