//! The program: parses arguments, picks a front end, maps errors to exit codes.

#[cfg(feature = "tui")]
#[path = "main/colleague.rs"]
mod colleague;
#[cfg(feature = "tui")]
#[path = "main/console.rs"]
mod console;
#[cfg(feature = "tui")]
#[path = "main/demo.rs"]
mod demo;

use std::process::ExitCode;

use clap::Parser as _;
use larkdeck::{
    cli::{
        self,
        args::{Args, Command},
        error::CliError,
    },
    core::error::Kind,
};
use tokio::signal::unix::SignalKind;

fn main() -> ExitCode {
    let args = Args::parse();
    // Secrets are in memory: no core dump may carry them to a disk.
    _ = rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit { current: Some(0), maximum: Some(0) },
    );
    // The screen has the main thread and the store threads of its own: one more does the console's errands, and
    // nothing wanders from thread to thread.
    let workers = if args.command.is_none() { 1 } else { 2 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failed(&CliError::new(Kind::Storage, format!("cannot start: {error}"))),
    };
    {
        // A limit on the size of files is then an error of the write that hits it. Unheard, the signal would end
        // the process where it stands, with the terminal in the console's hands.
        let _inside = runtime.enter();
        let too_large = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        _ = tokio::signal::unix::signal(too_large);
    }
    let code = match args.command {
        Some(command) if !matches!(command, Command::Demo(_)) => {
            runtime.block_on(cli::run(args.global, command))
        }
        screen => match runtime.block_on(screen_of(args.global, screen)) {
            Ok(code) => code,
            Err(error) => {
                runtime.shutdown_background();
                return failed(&error);
            }
        },
    };
    // A thread that still waits for stdin must not hold the process back.
    runtime.shutdown_background();
    ExitCode::from(code)
}

#[cfg(feature = "tui")]
async fn screen_of(global: cli::args::Global, command: Option<Command>) -> Result<u8, CliError> {
    let setup = cli::Setup::load(global)?;
    if let Err(error) = setup.start_log() {
        cli::output::note(&format!("no log: {}: {error}", setup.paths.log_file().display()));
    }
    match command {
        Some(Command::Demo(args)) => demo::run(setup, args).await,
        _ => console::run(setup).await,
    }
}

#[cfg(not(feature = "tui"))]
async fn screen_of(_: cli::args::Global, _: Option<Command>) -> Result<u8, CliError> {
    Err(larkdeck::core::error::Fault::new(Kind::Usage, "this larkdeck was built without its screen")
        .with_hint("The commands are all there: larkdeck --help.")
        .into())
}

fn failed(error: &CliError) -> ExitCode {
    _ = error.write(&mut std::io::stderr());
    ExitCode::from(error.exit_code())
}
