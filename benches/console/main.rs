//! The release binary in a pseudo-terminal, on a store and the simulated platform: what a person waits for and
//! what a machine pays.
//!
//! `cargo bench --bench console [-- SECTION…]`; the sections are those of [`SECTIONS`]. Every figure is printed
//! beside its goal and, where one can be measured, the floor of the same run; nothing is asserted.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a bench prints, and ends where it cannot go on"
)]

mod bed;
#[path = "../../tests/common/deck.rs"]
mod deck;
mod flood;
mod keys;
#[path = "../../tests/common/postgres.rs"]
mod postgres;
mod report;
mod search;
mod shared;
mod start;
mod stream;
mod terminal;
mod usage;

const SECTIONS: [(&str, fn()); 7] = [
    ("start", start::run),
    ("idle", stream::idle),
    ("keys", keys::run),
    ("stream", stream::run),
    ("flood", flood::run),
    ("search", search::run),
    ("shared", shared::run),
];

fn main() {
    if shared::is_worker() {
        return;
    }
    let named: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for (name, run) in SECTIONS {
        if named.is_empty() || named.iter().any(|word| word == name) {
            run();
        }
    }
}
