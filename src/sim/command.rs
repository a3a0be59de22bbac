//! `larkdeck sim`: the simulator alone.

use std::{net::SocketAddr, path::PathBuf};

use tokio::io::AsyncWrite;

use super::SimError;

/// The command's arguments.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// `--listen`; port 0 takes any.
    pub listen: SocketAddr,
    /// `--scenario`: a file, or the name of a built-in scenario; `None`: the default one.
    pub scenario: Option<PathBuf>,
    /// `--members`.
    pub members: Option<u32>,
    /// `--seed`.
    pub seed: Option<u64>,
}

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By SIGINT.
    Interrupted,
    /// By SIGTERM.
    Terminated,
    /// Whoever read the output is gone.
    OutputClosed,
}

/// Runs until a signal, or until `out` is closed; its first line is the access as JSON.
///
/// # Errors
/// The scenario or the address is no good.
pub async fn run_command(_options: RunOptions, _out: impl AsyncWrite + Unpin) -> Result<Ended, SimError> {
    Err(SimError::Unfit("not built yet".to_owned()))
}
