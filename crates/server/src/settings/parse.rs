//! From the arguments of the process to the command and its settings: flags, then variables, then the file, then defaults.
//!
//! clap knows flags, variables and defaults. The file's values become defaults of the arguments before clap parses, so a command sees
//! a setting in one way wherever it comes from. A secret that is read from standard input takes the place of its flag.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory as _, FromArgMatches as _};
use parlance_model::error::Kind;
use parlance_model::{Error, Result};

use super::file::ConfigFile;
use super::value::{Effective, Source};
use super::{Setting, all, wrong};
use crate::cli::Cli;
use crate::output::Form;

/// What a secret's flag ends in when its value comes from standard input.
const STDIN: &str = "-stdin";
/// Commands that look for no file: they bring what they need, or need nothing. One that is named is read all the same.
const WITHOUT_FILE: [&str; 6] = ["bench", "demo", "simulate", "torture", "completions", "man"];
/// Wrong usage, as the shell knows it.
const USAGE: u8 = 2;

/// What the process was asked to do.
pub(crate) struct Parsed {
    /// The command and its arguments.
    pub(crate) cli: Cli,
    /// Every setting there is.
    pub(crate) settings: Vec<Setting>,
    /// What was found on the command line.
    pub(crate) matches: ArgMatches,
    /// The configuration file, where there is one.
    pub(crate) file: Option<ConfigFile>,
}

/// Why there is nothing to run.
pub(crate) enum Stop {
    /// clap has something to print: help, the version, or what is wrong.
    Clap(clap::Error),
    /// A setting or its source is wrong.
    Wrong(Error),
}

impl Stop {
    /// Prints it; answers the exit code.
    pub(crate) fn end(&self, form: Form) -> ExitCode {
        match (self, form) {
            (Self::Clap(error), _) if !error.use_stderr() => {
                // A closed pipe takes no help.
                let _ = error.print();
                return ExitCode::SUCCESS;
            }
            (Self::Clap(error), Form::Text) => drop(error.print()),
            (Self::Clap(error), Form::Json) => form.complain(&wrong::usage(error)),
            (Self::Wrong(error), form) => form.complain(error),
        }
        ExitCode::from(USAGE)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Wrong(error)
    }
}

/// The command line with everything that settings bring to it.
pub(crate) fn command() -> Command {
    with_twins(Cli::command())
}

/// Reads the command line, with the variables and the file behind it.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Parsed, Stop> {
    let command = command();
    let settings = all(&command);
    let arguments = with_stdin(arguments, &settings, std::io::stdin())?;
    let file = find_file(&command, &arguments, &settings)?;
    let layered = layered(command, file.as_ref());
    let refused = |error: clap::Error| match wrong::refused(&error, &settings) {
        Some(setting) => Stop::Wrong(setting.wrong(&error, &source(setting, &arguments, file.as_ref()))),
        None => Stop::Clap(error),
    };
    let matches = layered.try_get_matches_from(&arguments).map_err(refused)?;
    let cli = Cli::from_arg_matches(&matches).map_err(Stop::Clap)?;
    Ok(Parsed { cli, settings, matches, file })
}

/// How errors are printed, known before anything is parsed.
pub(crate) fn form(arguments: &[OsString]) -> Form {
    if options(arguments).any(|argument| argument == "--json") { Form::Json } else { Form::Text }
}

/// Arguments that can be flags.
fn options(arguments: &[OsString]) -> impl Iterator<Item = &OsStr> {
    arguments.iter().skip(1).map(OsString::as_os_str).take_while(|argument| *argument != "--")
}

/// The file that this command line means.
fn find_file(command: &Command, arguments: &[OsString], settings: &[Setting]) -> Result<Option<ConfigFile>> {
    // A first look, in which nothing else has to be right. Help and the version need no file.
    let Ok(matches) = without_empty_variables(command.clone()).ignore_errors(true).try_get_matches_from(arguments) else { return Ok(None) };
    let path = |id: &str| matches.try_get_one::<PathBuf>(id).ok().flatten();
    let named = path("config").map(PathBuf::as_path);
    let looks = !matches.subcommand_name().is_none_or(|name| WITHOUT_FILE.contains(&name));
    if named.is_none() && !looks {
        return Ok(None);
    }
    ConfigFile::find(named, path("data").map_or(Path::new(""), PathBuf::as_path), settings)
}

/// Where the value comes from that clap saw: it looks at flags first.
fn source(setting: &Setting, arguments: &[OsString], file: Option<&ConfigFile>) -> Source {
    let flag = setting.flag();
    let is_flag =
        |argument: &OsStr| argument.to_string_lossy().strip_prefix(&flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    if options(arguments).any(is_flag) {
        return Source::Flag(flag);
    }
    Effective::without_flag(setting, file).source
}

/// Makes the file's values the defaults.
pub(super) fn layered(command: Command, file: Option<&ConfigFile>) -> Command {
    let Some(file) = file else { return without_empty_variables(command) };
    let command = command.mut_args(|arg| match Setting::of(&arg).and_then(|setting| file.entry(&setting)) {
        Some(entry) => unless_empty(arg).required(false).default_values(entry.values.clone()),
        None => unless_empty(arg),
    });
    command.mut_subcommands(|command| layered(command, Some(file)))
}

fn without_empty_variables(command: Command) -> Command {
    command.mut_args(unless_empty).mut_subcommands(without_empty_variables)
}

/// An empty variable is none, as everywhere.
fn unless_empty(arg: Arg) -> Arg {
    match Setting::of(&arg) {
        Some(setting) if setting.variable_value().is_none() && std::env::var_os(setting.variable()).is_some() => arg.env(Resettable::Reset),
        _ => arg,
    }
}

/// Gives every secret flag its twin: `--secret-key-stdin`.
pub(super) fn with_twins(command: Command) -> Command {
    let secrets: Vec<_> = command.get_arguments().filter_map(Setting::of).filter(Setting::is_secret).collect();
    let twins = secrets.into_iter().map(|Setting(arg)| {
        let long = format!("{}{STDIN}", arg.get_long().unwrap_or_default());
        let help = format!("Read --{} from standard input, unseen in the list of processes", arg.get_long().unwrap_or_default());
        let twin = Arg::new(long.replace('-', "_")).long(long).action(ArgAction::SetTrue).global(arg.is_global_set()).help(help);
        match arg.get_help_heading() {
            Some(heading) => twin.help_heading(heading.to_owned()),
            None => twin,
        }
    });
    let twins: Vec<_> = twins.collect();
    command.args(twins).mut_subcommands(with_twins)
}

/// Puts the secret from standard input in the place of the flag's twin: from here on it was given by its flag.
pub(super) fn with_stdin(arguments: Vec<OsString>, settings: &[Setting], mut input: impl std::io::Read) -> Result<Vec<OsString>> {
    let asking =
        options(&arguments).filter(|argument| argument.to_string_lossy().starts_with("--") && argument.to_string_lossy().ends_with(STDIN));
    if asking.count() > 1 {
        let text = "Standard input holds one secret. Give the others as variables, or in the configuration file.";
        return Err(Error::new(Kind::Invalid, "usage", text));
    }
    let twin = |setting: &Setting| format!("{}{STDIN}", setting.flag());
    let Some((at, setting)) = settings.iter().filter(|setting| setting.is_secret()).find_map(|setting| {
        let at = options(&arguments).position(|argument| argument == twin(setting).as_str())?;
        Some((at + 1, setting))
    }) else {
        return Ok(arguments);
    };
    let mut secret = String::new();
    input.read_to_string(&mut secret).map_err(|cause| {
        let text = format!("Standard input must be UTF-8 text: the value of {}.", setting.flag());
        Error::new(Kind::Invalid, "wrong_setting", text).with_source(cause)
    })?;
    let mut arguments = arguments;
    arguments[at] = format!("{}={}", setting.flag(), secret.trim_end_matches(['\r', '\n'])).into();
    Ok(arguments)
}
