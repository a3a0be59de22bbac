//! `larkdeck completions` and `larkdeck man`: made from the command line's own definition.

use std::path::Path;

use clap::CommandFactory as _;

use super::{
    args::{Args, CompletionsArgs, ManArgs},
    error::CliError,
    output::Output,
};
use crate::core::error::Kind;

/// `larkdeck completions SHELL`.
pub(super) fn completions(args: &CompletionsArgs, out: &mut Output) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "larkdeck", &mut script);
    out.raw(&script)
}

/// `larkdeck man`.
pub(super) fn man(args: &ManArgs, out: &mut Output) -> Result<(), CliError> {
    let fail =
        |error: std::io::Error| CliError::new(Kind::Storage, format!("cannot write the manual: {error}"));
    match &args.dir {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Args::command()).render(&mut page).map_err(fail)?;
            out.raw(&page)
        }
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(fail)?;
            let mut command = Args::command();
            command.build();
            write_pages(&command, folder).map_err(fail)
        }
    }
}

fn write_pages(command: &clap::Command, folder: &Path) -> std::io::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    std::fs::write(folder.join(format!("{name}.1")), page)?;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        write_pages(below, folder)?;
    }
    Ok(())
}
