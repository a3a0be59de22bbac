//! `larkdeck sim`: the simulated platform alone.

use tokio_util::sync::CancellationToken;

use super::{args::SimArgs, error::CliError};
use crate::{core::error::Fault, sim};

/// Runs the simulator until a signal ends it or nobody reads its output any more.
pub(super) async fn run(args: &SimArgs, cancel: CancellationToken) -> Result<(), CliError> {
    let options = sim::RunOptions {
        listen: args.listen,
        scenario: args.scenario.clone(),
        members: args.members,
        seed: args.seed,
        webhook: args.webhook.clone(),
        redirect: args.redirect.clone(),
    };
    tokio::select! {
        ended = sim::run_command(options, tokio::io::stdout()) => {
            ended.map(drop).map_err(|error| CliError::Fault(Fault::of(&error)))
        }
        // The signal itself is the caller's to report.
        () = cancel.cancelled() => Ok(()),
    }
}
