//! `completions` and `man`: what a shell and a reader of manuals know of the command line, made from the command line itself.

use std::path::Path;

use clap::{Arg, Command};
use clap_complete::Shell;
use parlance_model::{Error, Result};

use crate::output::say_bytes;
use crate::settings::Setting;
use crate::settings::parse::command;

const NAME: &str = "parlance";

/// Prints the completions.
///
/// # Errors
/// `unavailable` when standard output is closed.
pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(), NAME, &mut text);
    say_bytes(&text)
}

/// Prints the manual page, or writes one for each command into a folder.
///
/// # Errors
/// `unavailable` when it cannot be written.
pub(crate) fn man(folder: Option<&Path>) -> Result<()> {
    let command = with_sources(command());
    let Some(folder) = folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(Error::internal)?;
        return say_bytes(&page);
    };
    std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder)).map_err(|cause| {
        Error::unavailable(format!("Pages cannot be written to {}. Check the path and its permissions.", folder.display()), 1)
            .with_source(cause)
    })
}

/// Says of each setting where else it can be given: manual pages show flags alone.
fn with_sources(command: Command) -> Command {
    let explained = |arg: Arg| match Setting::of(&arg) {
        Some(setting) if setting.is_in_file() => {
            let help = setting.help();
            let text =
                format!("{}. Also the variable {}, or `{}` in the file.", help.trim_end_matches('.'), setting.variable(), setting.key());
            arg.help(text)
        }
        _ => arg,
    };
    command.mut_args(explained).mut_subcommands(with_sources)
}
