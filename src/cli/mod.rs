//! The headless commands: what the console does, for scripts.

pub mod args;
mod completions;
pub mod error;
mod integration;
mod json;
mod key;
mod link;
mod log;
pub mod logfile;
mod member;
pub mod output;
mod people;
pub mod people_args;
mod press;
mod quota;
mod room;
mod room_read;
mod room_tail;
mod secrets;
mod serve;
pub mod serve_args;
mod setup;
mod signal;
mod sim;
mod sim_args;
mod store;
mod table;
mod upkeep_args;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use setup::{Setup, this_process};

use self::{
    args::{Command, Global},
    error::CliError,
    output::{Output, note},
    setup::Context,
};
use crate::core::error::Kind;

/// How long a command may take to end once it is told to: to hand the connection over, to commit.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// The gateway finishes requests first.
const SERVE_END_PATIENCE: Duration = Duration::from_secs(9);

/// Runs one headless command and returns the exit code of the process. Errors are on stderr by then.
pub async fn run(global: Global, command: Command) -> u8 {
    let cancel = CancellationToken::new();
    let is_serve = matches!(command, Command::Serve(_));
    let patience = if is_serve { SERVE_END_PATIENCE } else { END_PATIENCE };
    let mut running = Box::pin(dispatch(global, command, cancel.clone()));
    let (result, signal) = tokio::select! {
        // Signals are listened for before the command does anything that they would have to mend.
        biased;
        signal = signal::first() => {
            cancel.cancel();
            (tokio::time::timeout(patience, &mut running).await.unwrap_or(Ok(())), Some(signal))
        }
        result = &mut running => (result, None),
    };
    if let Err(error) = &result {
        // Nobody is left to tell when stderr is closed.
        _ = error.write(&mut std::io::stderr());
    }
    match (signal, result) {
        // Being told to end is how a service ends.
        (Some(signal::Ending::Terminate), Ok(())) if is_serve => 0,
        (Some(signal), _) => signal.exit_code(),
        (None, Ok(())) => 0,
        (None, Err(error)) => error.exit_code(),
    }
}

async fn dispatch(global: Global, command: Command, cancel: CancellationToken) -> Result<(), CliError> {
    // These need neither settings nor folders, and must work where both are broken.
    match &command {
        Command::Completions(args) => return plain(&global, |out| completions::completions(args, out)),
        Command::Man(args) => return plain(&global, |out| completions::man(args, out)),
        Command::Sim(args) => return sim::run(args, cancel).await,
        _ => {}
    }
    let setup = match &command {
        Command::Serve(args) => Setup::load_with(global, args.overrides())?,
        _ => Setup::load(global)?,
    };
    if let Err(error) = setup.start_log() {
        note(&format!("no log: {}: {error}", setup.paths.log_file().display()));
    }
    let mut context = Context::new(setup, cancel);
    let result = run_command(&mut context, command).await;
    let closed = context.close().await;
    result.and(closed)
}

async fn run_command(context: &mut Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Integration(command) => integration::run(context, command).await,
        Command::Member(command) => member::run(context, command).await,
        Command::Link(args) => link::run(context, args).await,
        Command::Unlink(args) => link::unlink(context, &args.members).await,
        Command::Room(command) => room::run(context, command).await,
        Command::Quota(args) => quota::run(context, args).await,
        Command::Log(args) => log::run(context, &args).await,
        Command::Key(command) => key::run(context, command).await,
        Command::Store(command) => store::run(context, command).await,
        Command::Console(command) => people::console(context, &command).await,
        Command::Role(command) => people::role(context, &command).await,
        Command::Serve(args) => serve::run(context, &args).await,
        Command::Press(args) => press::run(context, &args).await,
        Command::Demo(_) | Command::Sim(_) | Command::Completions(_) | Command::Man(_) => {
            Err(CliError::new(Kind::Usage, "this command does not run without a screen"))
        }
    }
}

fn plain(global: &Global, print: impl FnOnce(&mut Output) -> Result<(), CliError>) -> Result<(), CliError> {
    let mut out = Output::stdout(global.json, jiff::tz::TimeZone::UTC);
    print(&mut out)?;
    out.flush()
}
