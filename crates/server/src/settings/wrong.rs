//! Wrong settings: one form of message for all sources, which says which setting, from where, what it was, and what it should be.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};
use parlance_model::error::Kind;
use parlance_model::{Error, Result};

use super::Setting;
use super::value::{Effective, Source};

impl Setting {
    /// Checks a value as a command would that has the setting.
    ///
    /// # Errors
    /// `wrong_setting`.
    pub(crate) fn check(&self, value: &Effective) -> Result<()> {
        if value.values.is_empty() {
            return Ok(());
        }
        let parser = match self.0.get_action() {
            ArgAction::SetTrue => clap::value_parser!(bool),
            _ => self.0.get_value_parser().clone(),
        };
        // Alone, the argument cannot refer to others as it does in its command.
        let mut alone = Arg::new("value").value_parser(parser).action(ArgAction::Append).long("value");
        if let Some(delimiter) = self.0.get_value_delimiter() {
            alone = alone.value_delimiter(delimiter);
        }
        let command = Command::new("check").no_binary_name(true).arg(alone);
        let given = value.values.iter().map(|value| {
            let mut argument = std::ffi::OsString::from("--value=");
            argument.push(value);
            argument
        });
        command.try_get_matches_from(given).map(drop).map_err(|error| self.wrong(&error, &value.source))
    }

    /// The message for a value that clap refused.
    pub(crate) fn wrong(&self, error: &clap::Error, source: &Source) -> Error {
        let was = match error.get(ContextKind::InvalidValue) {
            Some(ContextValue::String(value)) if !self.is_secret() => format!("has the wrong value {value:?}"),
            _ => "has a wrong value".to_owned(),
        };
        let cause = std::error::Error::source(error).filter(|_| !self.is_secret()).map(|cause| format!(" ({cause})")).unwrap_or_default();
        let words = self.words();
        let takes = match words.as_slice() {
            [] => format!("{}: {}", self.value_name(), self.help().trim_end_matches('.')),
            words => format!("one of {}", words.join(", ")),
        };
        let default = match self.default().first().filter(|_| words.is_empty()) {
            Some(value) => format!(" The default is {}.", value.to_string_lossy()),
            None => String::new(),
        };
        let text = format!("`{}` {was}, from {source}{cause}. It takes {takes}.{default}", self.key());
        Error::new(Kind::Invalid, "wrong_setting", text)
    }
}

/// The setting whose value clap refused, if that is what it complains about.
pub(crate) fn refused<'s>(error: &clap::Error, settings: &'s [Setting]) -> Option<&'s Setting> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::InvalidUtf8) {
        return None;
    }
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else { return None };
    // Without a value there is nothing to say of it: clap's own message is the one.
    if matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if value.is_empty()) {
        return None;
    }
    // `--listen <ADDR>`, `--tls[=<WORD>]`.
    let flag = argument.split([' ', '[', '=']).next().unwrap_or_default();
    settings.iter().find(|setting| setting.flag() == flag)
}

/// A usage error in one sentence, for programs.
pub(crate) fn usage(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let text = text.split("\n\nUsage:").next().unwrap_or_default();
    let text = text.split("\n\nFor more information").next().unwrap_or_default();
    let text = text.trim_start_matches("error:").split_whitespace().collect::<Vec<_>>().join(" ");
    Error::new(Kind::Invalid, "usage", text)
}
