//! The console's state machine: pure, synchronous, deterministic. No terminal, no network, no clock.
//!
//! `Event` → [`route::route`] → `Action` → [`update::update`] → `Effect`. Everything on screen is in
//! [`model::Model`]; everything a person can invoke is in [`command::COMMANDS`]; every key is in
//! [`keymap::BINDINGS`].

pub mod action;
pub mod busy;
pub mod command;
pub mod compose;
pub mod effect;
pub mod event;
pub mod key;
pub mod keymap;
pub mod model;
pub mod phrase;
pub mod route;
pub mod session;
pub mod update;
