//! `tollgate completions` and `tollgate man`: made from the same source as the help.

use super::{Cli, Context, Failure};
use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where the manual goes.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Writes a page for each subcommand into this folder; else one page for all goes to the standard output.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Writes the completions of a shell.
pub(super) fn completions(context: &mut Context<'_>, shell: Shell) -> Result<(), Failure> {
    // The generator takes a broken pipe for a bug and panics.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tollgate", &mut script);
    context.out.write_all(&script).map_err(Failure::from)
}

/// Writes the manual.
pub(super) fn man(context: &mut Context<'_>, args: &ManArgs) -> Result<(), Failure> {
    match &args.dir {
        Some(folder) => write_pages(context.out, folder),
        None => write_page(context.out).map_err(Failure::from),
    }
}

fn write_pages(out: &mut dyn Write, folder: &Path) -> Result<(), Failure> {
    let written =
        std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    written.map_err(|error| {
        let hint = "name a folder that this user can write to with --dir";
        Failure::refused(format!("cannot write to {}: {error}", folder.display()), hint)
    })?;
    writeln!(
        out,
        "wrote the pages to {}: `man {}/tollgate.1` shows the first",
        folder.display(),
        folder.display()
    )?;
    Ok(())
}

/// Writes one page: the program's, with a section for each subcommand.
fn write_page(out: &mut dyn Write) -> io::Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone());
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    write_sections(out, &command)?;
    man.render_version_section(out)
}

/// Writes the sections of a command's subcommands, and of theirs.
fn write_sections(out: &mut dyn Write, command: &Command) -> io::Result<()> {
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        let name = subcommand.get_bin_name().unwrap_or(subcommand.get_name()).to_owned();
        writeln!(out, ".SH \"{}\"", name.to_uppercase())?;
        let man = Man::new(without_common(subcommand.clone()));
        let mut section = Vec::new();
        man.render_synopsis_section(&mut section)?;
        man.render_description_section(&mut section)?;
        if subcommand.get_arguments().any(|argument| !is_common(argument.get_id().as_str())) {
            man.render_options_section(&mut section)?;
        }
        let section = String::from_utf8_lossy(&section).replace(".SH ", ".SS ");
        out.write_all(section.as_bytes())?;
        write_sections(out, subcommand)?;
    }
    Ok(())
}

/// Hides the arguments that every command has: the page's head shows them once.
fn without_common(command: Command) -> Command {
    command.mut_args(|argument| {
        let common = is_common(argument.get_id().as_str());
        argument.hide(common)
    })
}

fn is_common(argument: &str) -> bool {
    ["config", "help", "version"].contains(&argument)
}
