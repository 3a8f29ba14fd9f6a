//! `config`: what each setting is and where that comes from, and a file to begin with.

use clap::ArgMatches;
use parlance_model::{Error, Result};
use serde_json::{Value, json};

use crate::output::{Form, say, say_bytes};
use crate::settings::Setting;
use crate::settings::file::ConfigFile;
use crate::settings::value::{Effective, Source};

/// The widest line of the example.
const WIDTH: usize = 100;

/// Shows each setting, its value and its source.
///
/// # Errors
/// `wrong_setting` for the first value that its command would refuse.
pub(crate) fn show(form: Form, settings: &[Setting], matches: &ArgMatches, file: Option<&ConfigFile>) -> Result<()> {
    let matches = matches.subcommand().map_or(matches, |(_, matches)| matches);
    let valued: Vec<_> = settings.iter().map(|setting| (setting, Effective::of(setting, matches, file))).collect();
    valued.iter().try_for_each(|(setting, value)| setting.check(value))?;
    if form == Form::Text {
        let rows = valued.iter().map(|(setting, value)| vec![setting.key().into(), value.shown(setting), value.source.to_string().into()]);
        return form.list(&["setting", "value", "source"], rows.collect());
    }
    let objects = valued.iter().map(|(setting, value)| {
        let (source, from) = match &value.source {
            Source::Flag(flag) => ("flag", json!({ "flag": flag })),
            Source::Variable(name) => ("variable", json!({ "variable": name })),
            Source::File(path, line) => ("file", json!({ "file": path, "line": line })),
            Source::Default => ("default", json!({})),
        };
        let mut object =
            json!({ "setting": setting.key(), "value": value.shown(setting), "secret": setting.is_secret(), "source": source });
        if let (Value::Object(object), Value::Object(from)) = (&mut object, from) {
            object.extend(from);
        }
        object
    });
    say(&Value::Array(objects.collect()).to_string())
}

/// Prints a file with every setting as a comment.
///
/// # Errors
/// `unavailable` when standard output is closed.
pub(crate) fn example(form: Form, settings: &[Setting]) -> Result<()> {
    let text = example_text(settings)?;
    match form {
        Form::Text => say_bytes(text.as_bytes()),
        Form::Json => say(&json!({ "example": text }).to_string()),
    }
}

/// The example: each setting with its meaning, its variable and its default.
pub(crate) fn example_text(settings: &[Setting]) -> Result<String> {
    let mut text = String::from("# Settings of Parlance. Flags and variables win over this file.\n");
    for setting in settings.iter().filter(|setting| setting.is_in_file()) {
        let help = format!("{}. Flag: {}. Variable: {}.", setting.help().trim_end_matches('.'), setting.flag(), setting.variable());
        text.push('\n');
        wrapped(&help).iter().for_each(|line| text.push_str(&format!("# {line}\n")));
        text.push_str(&format!("#{} = {}\n", setting.key(), sample(setting)?));
    }
    Ok(text)
}

/// The default as the file would have it, or nothing of the right kind.
fn sample(setting: &Setting) -> Result<String> {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let default: Vec<_> = setting.default().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    Ok(match default.as_slice() {
        _ if setting.is_list() => format!("[{}]", default.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")),
        [] => quoted(""),
        [one] if one.parse::<bool>().is_ok() || one.parse::<i64>().is_ok() => one.clone(),
        [one] => quoted(one),
        _ => return Err(Error::internal(format!("{} has several defaults and is no list", setting.key()))),
    })
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= WIDTH => *line = format!("{line} {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
