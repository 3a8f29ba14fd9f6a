//! Results on standard output, everything else on standard error.

use std::io::{IsTerminal as _, Write as _};

use parlance_model::{Error, Result};
use tracing_subscriber::EnvFilter;

/// Writes a line of the result.
///
/// # Errors
/// `unavailable` when standard output is closed.
pub(crate) fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|cause| Error::unavailable("Standard output is closed.", 1).with_source(cause))
}

/// Says what went wrong and what to do, with the causes that help an operator.
pub(crate) fn complain(error: &Error) {
    let mut text = format!("error: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(&format!("\n  because: {next}"));
        cause = next.source();
    }
    // Nowhere is left to complain about a closed standard error.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Starts the logs on standard error: `PARLANCE_LOG` (default `info`), one JSON object a line with
/// `PARLANCE_LOG_FORMAT=json`.
pub(crate) fn start_logs() {
    let filter = EnvFilter::try_from_env("PARLANCE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    // Logs that cannot be written (a full disk, a closed pipe) are lost; complaining about that would panic.
    let logs = logs.log_internal_errors(false);
    match std::env::var("PARLANCE_LOG_FORMAT").as_deref() {
        Ok("json") => logs.json().init(),
        _ => logs.with_target(false).init(),
    }
}
