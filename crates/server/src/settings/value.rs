//! What a setting is worth in the end, and where that comes from: the flag, its variable, the file, or the default.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde_json::Value;

use super::Setting;
use super::file::ConfigFile;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The command line, by this flag.
    Flag(String),
    /// The environment, by this variable.
    Variable(String),
    /// The configuration file, in this line.
    File(PathBuf, usize),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "the flag {flag}"),
            Self::Variable(name) => write!(f, "the variable {name}"),
            Self::File(path, line) => write!(f, "{}, line {line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A setting's value.
#[derive(Debug, Clone)]
pub(crate) struct Effective {
    /// As a flag would take it; several of a list, and none when there is not even a default.
    pub(crate) values: Vec<OsString>,
    /// Where it comes from.
    pub(crate) source: Source,
}

impl Effective {
    /// The value of a setting, by the order that every command follows. Flags are looked up in `matches`.
    pub(crate) fn of(setting: &Setting, matches: &ArgMatches, file: Option<&ConfigFile>) -> Self {
        Self::flag(setting, matches).unwrap_or_else(|| Self::without_flag(setting, file))
    }

    /// The same where no flag was given.
    pub(crate) fn without_flag(setting: &Setting, file: Option<&ConfigFile>) -> Self {
        if let Some(value) = setting.variable_value() {
            return Self { values: vec![value], source: Source::Variable(setting.variable().to_owned()) };
        }
        if let Some((file, entry)) = file.and_then(|file| Some((file, file.entry(setting)?))) {
            return Self { values: entry.values.clone(), source: Source::File(file.path.clone(), entry.line) };
        }
        // The file that was found without being named.
        let found = file.filter(|_| !setting.is_in_file()).map(|file| vec![file.path.clone().into_os_string()]);
        Self { values: found.unwrap_or_else(|| setting.default()), source: Source::Default }
    }

    fn flag(setting: &Setting, matches: &ArgMatches) -> Option<Self> {
        let id = setting.0.get_id().as_str();
        // A setting of another command has no flag here, which clap reports as an error.
        let given = matches.try_get_raw(id).ok()?.filter(|_| matches.value_source(id) == Some(ValueSource::CommandLine));
        let values: Vec<_> = given?.map(ToOwned::to_owned).collect();
        // A switch is given without a value.
        let values = if values.is_empty() { vec!["true".into()] } else { values };
        Some(Self { values, source: Source::Flag(setting.flag()) })
    }

    /// The value as people and programs see it: of a secret, only whether it is set.
    pub(crate) fn shown(&self, setting: &Setting) -> Value {
        let texts: Vec<Value> = self.values.iter().map(|value| value.to_string_lossy().into()).collect();
        match (setting.is_secret(), texts.as_slice()) {
            (true, texts) => {
                if texts.is_empty() {
                    Value::Null
                } else {
                    "set".into()
                }
            }
            (false, _) if setting.is_list() => Value::Array(self.items().into_iter().map(Value::from).collect()),
            (false, []) => Value::Null,
            (false, [only, ..]) => only.clone(),
        }
    }

    /// The values of a list, one by one: flags and variables join them with commas.
    fn items(&self) -> Vec<String> {
        let texts = self.values.iter().map(|value| value.to_string_lossy().into_owned());
        texts.flat_map(|text| text.split(',').map(ToOwned::to_owned).collect::<Vec<_>>()).collect()
    }
}
