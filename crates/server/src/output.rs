//! Results on standard output, everything else on standard error. A result is the same fields for people and, with `--json`, for programs.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal as _, Write as _};
use std::panic::PanicHookInfo;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use parlance_model::{Error, Result};
use serde_json::{Map, Value, json};
use tracing::Level;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::cli::OutputArgs;

/// How results and errors are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people, and for scripts that want one value.
    Text,
    /// For programs.
    Json,
}

/// One thing as a command shows it: its fields, in order.
pub(crate) type Record = Vec<(&'static str, Value)>;

impl Form {
    /// Shows one thing: a field a line, or an object.
    ///
    /// # Errors
    /// `unavailable` when standard output is closed.
    pub(crate) fn record(self, record: Record) -> Result<()> {
        match self {
            Self::Text => record.iter().try_for_each(|(name, value)| say(&format!("{name}: {}", text(value)))),
            Self::Json => say(&object(record).to_string()),
        }
    }

    /// Shows what was made: one value alone for scripts (nothing when there is none), or an object.
    ///
    /// # Errors
    /// `unavailable` when standard output is closed.
    pub(crate) fn made(self, alone: Option<&str>, record: Record) -> Result<()> {
        match self {
            Self::Text => alone.map_or(Ok(()), say),
            Self::Json => say(&object(record).to_string()),
        }
    }

    /// Shows many things of one kind, whose fields are these: a table on a terminal, columns with tabs between them elsewhere, or an
    /// array of objects.
    ///
    /// # Errors
    /// `unavailable` when standard output is closed.
    pub(crate) fn list(self, columns: &[&'static str], rows: Vec<Vec<Value>>) -> Result<()> {
        if self == Self::Json {
            let objects = rows.into_iter().map(|row| object(columns.iter().copied().zip(row).collect()));
            return say(&Value::Array(objects.collect()).to_string());
        }
        let rows = rows.iter().map(|row| row.iter().map(text).collect::<Vec<_>>());
        if std::io::stdout().is_terminal() {
            let mut table = Table::new();
            table.load_style(NOTHING).set_header(columns.iter().map(|name| name.to_uppercase())).add_rows(rows);
            return say(&table.trim_fmt());
        }
        say(&columns.join("\t"))?;
        rows.map(|row| row.join("\t")).try_for_each(|line| say(&line))
    }

    /// Says what went wrong and what to do, with the causes that help an operator.
    pub(crate) fn complain(self, error: &Error) {
        let mut causes = Vec::new();
        let mut cause = std::error::Error::source(error);
        while let Some(next) = cause {
            causes.push(next.to_string());
            cause = next.source();
        }
        let text = match self {
            Self::Text => causes.iter().fold(format!("error: {error}"), |text, cause| format!("{text}\n  because: {cause}")),
            Self::Json => json!({ "code": error.code(), "message": error.message(), "causes": causes }).to_string(),
        };
        // Nowhere is left to complain about a closed standard error.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

fn object(record: Record) -> Value {
    Value::Object(record.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

/// A value in one line, without what would move the cursor or end the column.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(truth) => if *truth { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields.values().map(text).collect::<Vec<_>>().join(" "),
        Value::Number(number) => number.to_string(),
    }
}

/// Writes a line of the result.
///
/// # Errors
/// `unavailable` when standard output is closed.
pub(crate) fn say(line: &str) -> Result<()> {
    say_bytes(format!("{line}\n").as_bytes())
}

/// Writes a whole text of the result.
///
/// # Errors
/// `unavailable` when standard output is closed.
pub(crate) fn say_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|cause| Error::unavailable("Standard output is closed.", 1).with_source(cause))
}

/// Tells the person who started the server something that they must not miss: plainly on a terminal, else in the log.
pub(crate) fn announce(text: &str, link: &str) {
    let mut out = std::io::stderr().lock();
    if !out.is_terminal() || writeln!(out, "\n  {text}\n\n  {link}\n").is_err() {
        drop(out);
        tracing::info!("{text} {link}");
    }
}

/// Starts the logs on standard error.
pub(crate) fn start_logs(args: &OutputArgs) {
    // The filter was read once already, when it was checked.
    let filter = EnvFilter::builder().parse(&args.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    let json = args.log_format == "json";
    // Logs that cannot be written (a full disk, a closed pipe) are lost; complaining about that would panic.
    let lines = || tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours).log_internal_errors(false);
    let lines = if json { lines().json().boxed() } else { lines().with_target(false).boxed() };
    // Below `info`, libraries show what they carry: headers, bodies, the values of queries.
    let ours = filter_fn(|line| line.target().starts_with("parlance") || *line.level() <= Level::INFO);
    tracing_subscriber::registry().with(filter).with(lines.with_filter(ours)).init();
    std::panic::set_hook(Box::new(panicked));
}

/// Logs where a panic was, and its text where that is part of the program. One that was made may quote what was at hand.
fn panicked(panic: &PanicHookInfo<'_>) {
    let text = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("its text is left out");
    let (thread, place) = (std::thread::current(), panic.location().map(ToString::to_string).unwrap_or_default());
    // Empty unless RUST_BACKTRACE asks for it.
    let trace = Backtrace::capture();
    let trace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
    tracing::error!(thread = thread.name(), place, trace, "a panic: {text}");
}
