//! larkdeck: the terminal operations console for Feishu/Lark incident response.
//!
//! `ARCHITECTURE.md` is the map. In short: `core` names the domain; `ledger` decides who may call the
//! platform; `feishu` speaks to it; `store` keeps everything and is the bus between processes; `service`
//! is what larkdeck does, without a screen; `app` is the console's state machine, `tui` draws it and
//! `runtime` carries out what it asks for; `cli` is the same for scripts; `server` answers the platform and browsers; `sim` is a platform to test on.

// What tests begin with is compiled into those of the library too, and names it as the others do.
#[cfg(test)]
extern crate self as larkdeck;
#[cfg(test)]
#[path = "../tests/common/deck.rs"]
mod test_deck;

pub mod app;
pub mod cli;
pub mod config;
pub mod core;
pub mod feishu;
pub mod ledger;
pub mod runtime;
pub mod server;
pub mod service;
pub mod sim;
pub mod store;
#[cfg(feature = "tui")]
pub mod tui;
