//! `cargo xtask demo`: builds the release binary and becomes `parlance demo`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::shell::{Result, build_release, release_binary, target};

/// What the demo is started with.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Passed to `parlance demo`; `--listen` and `--data` replace the defaults
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
}

/// Returns only when something is wrong: the process becomes the server, so that signals and the exit code are its own.
pub(crate) fn run(options: &Options) -> Result {
    build_release()?;
    let mut command = Command::new(release_binary());
    command.arg("demo").args(defaults(&options.args)).args(&options.args);
    let error = command.exec();
    Err(format!("{} did not start: {error}", release_binary().display()).into())
}

/// Address and data folder, each unless given.
fn defaults(given: &[String]) -> Vec<OsString> {
    let mut defaults = Vec::new();
    for (flag, value) in [("--listen", OsString::from("127.0.0.1:8080")), ("--data", target().join("demo").into_os_string())] {
        let is_given = given.iter().any(|arg| arg.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')));
        if !is_given {
            defaults.extend([OsString::from(flag), value]);
        }
    }
    defaults
}

#[cfg(test)]
mod tests {
    use super::defaults;

    #[test]
    fn what_is_given_replaces_a_default() {
        assert_eq!(defaults(&[])[..2], ["--listen", "127.0.0.1:8080"]);
        assert_eq!(defaults(&["--listen=127.0.0.1:0".to_owned()])[0], "--data");
        assert!(defaults(&["--data".to_owned(), "d".to_owned(), "--listen".to_owned(), "x:1".to_owned()]).is_empty());
    }
}
