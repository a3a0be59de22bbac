//! `larkdeck sim`: the simulator alone.

use std::{net::SocketAddr, path::PathBuf};

use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _},
    signal::unix::{SignalKind, signal},
};

use super::{Scenario, Sim, SimError, SimOptions, Way};

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
    /// `--webhook`: the URL for events and callbacks.
    pub webhook: Option<String>,
    /// `--redirect`: where a login may lead back to.
    pub redirect: Vec<String>,
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

/// The scenario that an argument names: built in, or a file.
fn load(named: Option<&PathBuf>) -> Result<Scenario, SimError> {
    let Some(path) = named else { return Scenario::living() };
    let name = path.display().to_string();
    match name.as_str() {
        "default" => return Scenario::living(),
        "demo" => return Scenario::demo(),
        "still" => return Scenario::still(),
        _ => {}
    }
    let text =
        std::fs::read_to_string(path).map_err(|source| SimError::Read { path: path.clone(), source })?;
    Scenario::parse(&name, &text)
}

/// Runs until SIGINT or SIGTERM; the first line of `out` is the access as JSON.
///
/// # Errors
/// The scenario or the address is no good.
pub async fn run_command(options: RunOptions, mut out: impl AsyncWrite + Unpin) -> Result<Ended, SimError> {
    // Before anybody can know that it runs: a signal must never find the default action.
    let mut interrupted = signal(SignalKind::interrupt()).map_err(SimError::Output)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(SimError::Output)?;
    let mut scenario = load(options.scenario.as_ref())?;
    scenario.app.redirect_urls.extend(options.redirect);
    if let Some(url) = options.webhook {
        scenario.webhook.url = url;
        if scenario.webhook.mode == Way::LongConnection {
            scenario.webhook.mode = Way::Webhook;
        }
    }
    let sim = Sim::start(SimOptions {
        listen: options.listen,
        scenario,
        members: options.members,
        seed: options.seed,
    })
    .await?;
    let mut line = serde_json::to_string(sim.access()).unwrap_or_default();
    line.push('\n');
    let written = async {
        out.write_all(line.as_bytes()).await?;
        out.flush().await
    };
    let ended = match written.await {
        Ok(()) => tokio::select! {
            _ = interrupted.recv() => Ended::Interrupted,
            _ = terminated.recv() => Ended::Terminated,
        },
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ended::OutputClosed,
        Err(error) => return Err(SimError::Output(error)),
    };
    sim.stop().await;
    Ok(ended)
}
