//! The headless commands: what the console does, for scripts.

pub mod args;
