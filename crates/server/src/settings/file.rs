//! The configuration file: which one is read, and what it says. One TOML table, a key for each setting.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use parlance_model::error::Kind;
use parlance_model::{Error, Result};
use toml::de::{DeTable, DeValue};

use super::{Setting, nearest};

/// The file's name in a data folder.
const NAME: &str = "parlance.toml";
/// The file of a whole machine.
const SYSTEM: &str = "/etc/parlance.toml";

/// A configuration file that was read.
#[derive(Debug, Clone)]
pub(crate) struct ConfigFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    entries: Vec<Entry>,
}

/// A setting in it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Which one.
    pub(crate) key: String,
    /// Its line, from 1.
    pub(crate) line: usize,
    /// Its values as a flag would take them, one unless it is a list.
    pub(crate) values: Vec<OsString>,
}

impl ConfigFile {
    /// Reads the file that is named, else the one in the data folder, else the machine's. At most one is read; none has to be there
    /// unless it is named.
    ///
    /// # Errors
    /// `config_unreadable`; `wrong_setting` for what is no TOML, no setting or no value.
    pub(crate) fn find(named: Option<&Path>, data: &Path, settings: &[Setting]) -> Result<Option<Self>> {
        if let Some(path) = named {
            let text = fs::read_to_string(path).map_err(|cause| unreadable(path, cause))?;
            return Self::parse(path, &text, settings).map(Some);
        }
        for path in [data.join(NAME), PathBuf::from(SYSTEM)] {
            match fs::read_to_string(&path) {
                Ok(text) => return Self::parse(&path, &text, settings).map(Some),
                Err(cause) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&cause.kind()) => {}
                Err(cause) => return Err(unreadable(&path, cause)),
            }
        }
        Ok(None)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// `wrong_setting`.
    pub(crate) fn parse(path: &Path, text: &str, settings: &[Setting]) -> Result<Self> {
        let line = |at: usize| text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        let wrong =
            |line: usize, text: String| Error::new(Kind::Invalid, "wrong_setting", format!("{}, line {line}: {text}", path.display()));
        // The parser's own message would show the line, and there may be a secret in it.
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            wrong(line(at), format!("This is not TOML: {}.", error.message().trim_end_matches('.')))
        })?;
        let mut entries = Vec::new();
        for (key, value) in table.get_ref() {
            let (name, line) = (key.get_ref().as_ref(), line(key.span().start));
            let setting = settings.iter().find(|setting| setting.is_in_file() && setting.key() == name);
            let setting = setting.ok_or_else(|| wrong(line, unknown(name, settings)))?;
            let values = values(value.get_ref(), setting.is_list()).map_err(|text| wrong(line, format!("`{name}` {text}")))?;
            entries.push(Entry { key: name.to_owned(), line, values });
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    /// What the file says of a setting.
    pub(crate) fn entry(&self, setting: &Setting) -> Option<&Entry> {
        let key = setting.key();
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Whether it holds a secret that others than its owner may read.
    pub(crate) fn exposes(&self, settings: &[Setting]) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        let holds = settings.iter().any(|setting| setting.is_secret() && self.entry(setting).is_some());
        holds && fs::metadata(&self.path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o007 != 0)
    }
}

fn unreadable(path: &Path, cause: std::io::Error) -> Error {
    let text = format!("The configuration file {} cannot be read. Check the path and its permissions.", path.display());
    Error::new(Kind::Invalid, "config_unreadable", text).with_source(cause)
}

fn unknown(name: &str, settings: &[Setting]) -> String {
    let keys = settings.iter().filter(|setting| setting.is_in_file()).map(Setting::key);
    match nearest(name, keys, 0.7) {
        Some(key) => format!("There is no setting `{name}`. Did you mean `{key}`?"),
        None => format!("There is no setting `{name}`. `parlance config` lists them all."),
    }
}

fn values(value: &DeValue<'_>, is_list: bool) -> Result<Vec<OsString>, String> {
    match value {
        DeValue::Array(items) if is_list => items.iter().map(|item| scalar(item.get_ref())).collect(),
        DeValue::Array(_) => Err("takes one value, not an array.".to_owned()),
        _ => Ok(vec![scalar(value)?]),
    }
}

fn scalar(value: &DeValue<'_>) -> Result<OsString, String> {
    match value {
        DeValue::String(text) => Ok(OsString::from(text.as_ref())),
        DeValue::Boolean(truth) => Ok(truth.to_string().into()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().into()),
        DeValue::Float(number) => Ok(number.as_str().into()),
        _ => Err("must be a text in quotes, a number, true or false.".to_owned()),
    }
}
