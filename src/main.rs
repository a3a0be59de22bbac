//! The program: parses arguments, picks a front end, maps errors to exit codes.

use std::process::ExitCode;

use clap::Parser as _;
use larkdeck::cli::{
    self,
    args::{Args, Command},
    error::CliError,
};

fn main() -> ExitCode {
    let args = Args::parse();
    // Secrets are in memory: no core dump may carry them to a disk.
    _ = rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit { current: Some(0), maximum: Some(0) },
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            return failed(&CliError::new(
                larkdeck::core::error::Kind::Storage,
                format!("cannot start: {error}"),
            ));
        }
    };
    let code = match args.command {
        Some(command) if !matches!(command, Command::Demo(_)) => {
            runtime.block_on(cli::run(args.global, command))
        }
        _ => return failed(&CliError::new(larkdeck::core::error::Kind::Bug, "the console is not built yet")),
    };
    // A thread that still waits for stdin must not hold the process back.
    runtime.shutdown_background();
    ExitCode::from(code)
}

fn failed(error: &CliError) -> ExitCode {
    _ = error.write(&mut std::io::stderr());
    ExitCode::from(error.exit_code())
}
