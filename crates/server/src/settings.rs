//! The settings: every argument of the command line that has a `PARLANCE_…` variable. All else follows from that: its key in the
//! configuration file, the `-stdin` twin of a secret, and its line in `parlance config`.

pub(crate) mod file;
pub(crate) mod parse;
#[cfg(test)]
mod tests;
pub(crate) mod value;
pub(crate) mod wrong;

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

/// What every variable's name begins with.
const PREFIX: &str = "PARLANCE_";

/// One setting.
#[derive(Debug, Clone)]
pub(crate) struct Setting(Arg);

impl Setting {
    /// The setting that an argument is, if it is one.
    pub(crate) fn of(arg: &Arg) -> Option<Self> {
        arg.get_env().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX)).then(|| Self(arg.clone()))
    }

    /// Its variable: `PARLANCE_LISTEN`.
    pub(crate) fn variable(&self) -> &str {
        self.0.get_env().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Its key in the configuration file: the variable's name without the prefix, in lower case. A variable is one setting, while
    /// two commands may have a flag of one name.
    pub(crate) fn key(&self) -> String {
        self.variable().trim_start_matches(PREFIX).to_lowercase()
    }

    /// Its flag: `--listen`.
    pub(crate) fn flag(&self) -> String {
        format!("--{}", self.0.get_long().unwrap_or_default())
    }

    /// What the flag takes: `ADDR`.
    pub(crate) fn value_name(&self) -> &str {
        self.0.get_value_names().and_then(<[_]>::first).map_or("VALUE", |name| name.as_str())
    }

    /// What it means, in a sentence or two.
    pub(crate) fn help(&self) -> String {
        self.0.get_help().map(ToString::to_string).unwrap_or_default()
    }

    /// Whether it is never shown.
    pub(crate) fn is_secret(&self) -> bool {
        self.0.is_hide_env_values_set()
    }

    /// Whether the file may name it. The file cannot say where it is itself.
    pub(crate) fn is_in_file(&self) -> bool {
        self.0.get_id() != "config"
    }

    /// Whether it takes several values.
    pub(crate) fn is_list(&self) -> bool {
        self.0.get_value_delimiter().is_some() || matches!(self.0.get_action(), ArgAction::Append)
    }

    /// The words that it may be, where they are few.
    pub(crate) fn words(&self) -> Vec<String> {
        self.0.get_possible_values().iter().map(|word| word.get_name().to_owned()).collect()
    }

    /// The default, as it would be written; nothing when there is none.
    pub(crate) fn default(&self) -> Vec<OsString> {
        match self.0.get_action() {
            ArgAction::SetTrue => vec!["false".into()],
            _ => self.0.get_default_values().iter().map(|value| value.to_os_string()).collect(),
        }
    }

    /// Its variable's value. An empty one is none: files for containers hand on variables that nobody set.
    pub(crate) fn variable_value(&self) -> Option<OsString> {
        std::env::var_os(self.variable()).filter(|value| !value.is_empty())
    }
}

/// The name that is nearest to a misspelt one, when it is near enough to be meant: from 0, anything, to 1, the same.
fn nearest(name: &str, names: impl Iterator<Item = String>, likeness: f64) -> Option<String> {
    let near = names.map(|known| (strsim::jaro(&known, name), known)).filter(|(found, _)| *found > likeness);
    near.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, known)| known)
}

/// Which of these variables look like a misspelt setting, and like which one.
pub(crate) fn misspelt(settings: &[Setting], variables: impl Iterator<Item = String>) -> Vec<(String, String)> {
    let known = || settings.iter().map(|setting| setting.variable().to_owned());
    let strange = variables.filter(|name| name.starts_with(PREFIX) && known().all(|known| known != *name));
    // The prefix is alike in all, and other programs of the house have variables of their own.
    strange.filter_map(|name| Some((nearest(&name, known(), 0.95)?, name))).map(|(known, name)| (name, known)).collect()
}

/// Every setting of these commands, once: those of all commands first.
pub(crate) fn all(command: &Command) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    collect(command, &mut settings);
    settings
}

fn collect(command: &Command, settings: &mut Vec<Setting>) {
    for setting in command.get_arguments().filter_map(Setting::of) {
        if !settings.iter().any(|known| known.variable() == setting.variable()) {
            settings.push(setting);
        }
    }
    command.get_subcommands().for_each(|command| collect(command, settings));
}
