//! Manual pages and completions for shells, made from the definition of the command line.

use std::path::Path;

use anyhow::{Context, ensure};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::cli::{Cli, CompletionsArgs, ManArgs};
use super::output;

/// What stands in the middle of a page's head.
const MANUAL: &str = "footfall manual";

/// One page for the program and one for each of its commands: `footfall.1`, `footfall-gym-add.1`.
pub fn write_pages(args: &ManArgs) -> anyhow::Result<()> {
    let folder = &args.folder;
    ensure!(folder.is_dir(), "{} is no folder; make it first", folder.display());
    // A page says for which version it is, and not how that was built.
    let program = Cli::command().version(env!("CARGO_PKG_VERSION"));
    let mut program = program.disable_help_subcommand(true);
    program.build();
    write_page(&program, folder)
}

fn write_page(command: &Command, folder: &Path) -> anyhow::Result<()> {
    let page =
        Man::new(command.clone()).date(env!("CARGO_PKG_VERSION")).source("footfall").manual(MANUAL);
    page.generate_to(folder).with_context(|| {
        format!("cannot write {} into {}", page.get_filename(), folder.display())
    })?;
    let mut inner = command.get_subcommands().filter(|inner| !inner.is_hide_set());
    inner.try_for_each(|inner| write_page(inner, folder))
}

/// To standard output.
pub fn print_completions(args: &CompletionsArgs) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "footfall", &mut script);
    output::text(&String::from_utf8_lossy(&script));
}
