//! The headless commands: what the console does, for scripts.

pub mod args;
mod completions;
pub mod error;
mod json;
pub mod logfile;
pub mod output;
mod secrets;
mod table;
