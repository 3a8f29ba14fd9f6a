//! The command line, as `--help` shows it. An argument with a `PARLANCE_…` variable is a setting: the configuration file, `parlance
//! config` and the `-stdin` twin of a secret come from that alone (`settings`).

mod audit;
mod bench;
mod directory;
mod media;
mod simulate;
mod tls;
mod torture;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use ipnet::IpNet;
use parlance_store::secret::SecretKey;
use tracing_subscriber::EnvFilter;
use url::Url;

pub(crate) use audit::{AuditAction, AuditArgs};
pub(crate) use bench::{Bench, BenchFootprint, BenchIngest, BenchList, BenchMixed};
pub(crate) use directory::{AccountAction, IdArgs, KeyAction, OrgAction, ProviderArgs, TestArgs, UserAction, VoiceArgs};
pub(crate) use media::MediaStore;
pub(crate) use simulate::{Simulate, SimulateTwilio};
pub(crate) use tls::TlsArgs;
pub(crate) use torture::TortureArgs;

use crate::output::Form;

const AFTER: &str = "Settings come from flags, then PARLANCE_… variables, then the configuration file, then defaults. `parlance config` \
    shows each and where it comes from; `parlance config --example` prints a file to begin with.\n\n\
    Exit codes: 0 done; 1 refused or failed; 2 wrong usage or a wrong setting.";

/// A self-hosted conversations server: SMS in one inbox, one API, one event stream.
#[derive(Debug, Parser)]
#[command(name = "parlance", version, after_help = AFTER, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten, next_help_heading = "For every command")]
    pub(crate) place: PlaceArgs,
    #[command(flatten, next_help_heading = "For every command")]
    pub(crate) output: OutputArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the data is.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlaceArgs {
    /// The data folder: the embedded database, files and the secret key. `parlance backup` makes one file of it
    #[arg(long, global = true, value_name = "DIR", env = "PARLANCE_DATA", default_value = "parlance-data")]
    pub(crate) data: PathBuf,
    /// Keep everything in PostgreSQL instead: postgres://user:password@host:port/name
    #[arg(long, global = true, value_name = "URL", env = "PARLANCE_DATABASE_URL", hide_env_values = true, value_parser = database_url)]
    pub(crate) database_url: Option<String>,
    /// Encrypts provider secrets: 64 hexadecimal digits, or any text of 32 characters or more. Without it, the data folder keeps a key of
    /// its own
    #[arg(long, global = true, value_name = "KEY", env = "PARLANCE_SECRET_KEY", hide_env_values = true, value_parser = secret_key)]
    pub(crate) secret_key: Option<String>,
    /// Where files are kept: a folder, or s3://bucket/prefix with AWS_… variables. Default: `media` in the data folder
    #[arg(long, global = true, value_name = "PLACE", env = "PARLANCE_MEDIA_STORE")]
    pub(crate) media_store: Option<MediaStore>,
    /// What a commit promises: `full` survives power loss, `relaxed` a killed process only (embedded database)
    #[arg(long, global = true, value_name = "WORD", env = "PARLANCE_DURABILITY", default_value = "full", value_parser = ["full", "relaxed"])]
    pub(crate) durability: String,
}

/// What a command says, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct OutputArgs {
    /// The configuration file. Without it: parlance.toml in the data folder, else /etc/parlance.toml, if there is one
    #[arg(long, global = true, value_name = "FILE", env = "PARLANCE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// What is logged on standard error, such as `debug` or `info,parlance_app=debug`
    #[arg(long, global = true, value_name = "FILTER", env = "PARLANCE_LOG", default_value = "info", value_parser = log_filter)]
    pub(crate) log: String,
    /// How it is logged: text, or one JSON object a line
    #[arg(long, global = true, value_name = "WORD", env = "PARLANCE_LOG_FORMAT", default_value = "text", value_parser = ["text", "json"])]
    pub(crate) log_format: String,
    /// Print results, and errors, as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl OutputArgs {
    /// How results and errors are printed.
    pub(crate) fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API and the provider hooks
    #[command(after_long_help = "Example:\n  parlance serve --data /srv/parlance --public-url https://chat.example.com")]
    Serve(ServeArgs),
    /// Serve with sample data and a simulated Twilio: see it work, no accounts needed
    Demo(DemoArgs),
    /// Organisations
    #[command(subcommand)]
    Org(OrgAction),
    /// People who work in an organisation
    #[command(subcommand)]
    User(UserAction),
    /// API keys
    #[command(subcommand)]
    Key(KeyAction),
    /// Connections to providers
    #[command(subcommand)]
    Account(AccountAction),
    /// The audit log
    #[command(subcommand)]
    Audit(AuditAction),
    /// Bring the database to this version's schema, and stop
    Migrate,
    /// Write everything into one file, beside a running server
    Backup(BackupArgs),
    /// Put a backup into an empty place
    Restore(RestoreArgs),
    /// Check what is promised against what is stored
    Doctor {
        /// Recount every conversation and recompute every message
        #[arg(long)]
        deep: bool,
        /// Where --deep puts its copy of the embedded database. Default: the data folder
        #[arg(long, value_name = "DIR", requires = "deep")]
        scratch: Option<PathBuf>,
    },
    /// A provider's simulator alone, with faults on request
    #[command(subcommand)]
    Simulate(Simulate),
    /// Kill a server under load, again and again, and look for what it had acknowledged
    #[command(
        after_long_help = "It takes a temporary folder, or an empty PostgreSQL database (--database-url), and a simulated provider.\n\n\
        Example:\n  parlance torture --kills 500 --seed 7"
    )]
    Torture(TortureArgs),
    /// Measure this version on this machine, in temporary databases that it builds and removes
    #[command(subcommand)]
    Bench(Bench),
    /// Show each setting, its value and where it comes from
    #[command(after_long_help = "It takes the flags of `serve`, and shows what `serve` would do with them.\n\n\
        Example:\n  parlance config --example > parlance.toml")]
    Config(ConfigArgs),
    /// Print completions for a shell
    #[command(after_long_help = "Example:\n  parlance completions bash > /etc/bash_completion.d/parlance")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    #[command(after_long_help = "Example:\n  parlance man --dir /usr/local/share/man/man1")]
    Man {
        /// Write a page for each command into this folder instead
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on
    #[arg(long, value_name = "ADDR", env = "PARLANCE_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Where providers reach this server: what they call and sign. Default: the first domain of --acme, else the address above
    #[arg(long, value_name = "URL", env = "PARLANCE_PUBLIC_URL", value_parser = public_url)]
    pub(crate) public_url: Option<Url>,
    /// Let outbound requests reach these private addresses, such as 10.1.0.0/16. May be repeated
    #[arg(long, value_name = "CIDR", env = "PARLANCE_ALLOW_OUTBOUND", value_delimiter = ',')]
    pub(crate) allow_outbound: Vec<IpNet>,
    /// The largest file that may be uploaded, in MiB
    #[arg(long, value_name = "MIB", env = "PARLANCE_MEDIA_LIMIT", default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(crate) media_limit: u64,
    /// Requests that each key may make in a minute, on this node; 0 for any number
    #[arg(long, value_name = "N", env = "PARLANCE_RATE_LIMIT", default_value_t = parlance_api::RATE_LIMIT)]
    pub(crate) rate_limit: u32,
    /// Open /metrics to whoever shows this token, of 32 random characters or more. Without one it answers to this machine alone
    #[arg(long, value_name = "TOKEN", env = "PARLANCE_METRICS_TOKEN", hide_env_values = true, value_parser = metrics_token)]
    pub(crate) metrics_token: Option<String>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

/// How to show the demo.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// The address to listen on
    #[arg(long, value_name = "ADDR", env = "PARLANCE_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
}

/// What of the settings to show.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    /// Print a configuration file with every setting, its default and what it means
    #[arg(long)]
    pub(crate) example: bool,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// How to back up.
#[derive(Debug, Clone, Args)]
pub(crate) struct BackupArgs {
    /// The file to write, or - for standard output. Default: parlance-backup-TIME.tar.zst in this folder
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Leave the data folder's secret key out. With the key in it, whoever has the file can read provider secrets
    #[arg(long)]
    pub(crate) without_key: bool,
    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Where a copy of the embedded database is put while it is read. Default: beside FILE; for -, the data folder
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
}

/// How to restore.
#[derive(Debug, Clone, Args)]
pub(crate) struct RestoreArgs {
    /// The backup, or - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Move what is in the data folder aside first. Nothing is deleted
    #[arg(long)]
    pub(crate) force: bool,
    /// The original stopped before the backup was made and stays so: send from here what is waiting, and keep people signed in
    #[arg(long)]
    pub(crate) keep_sending: bool,
}

/// A URL of PostgreSQL, or its settings as `name=value`.
fn database_url(text: &str) -> Result<String, &'static str> {
    let fits = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) || text.contains('=');
    if fits { Ok(text.to_owned()) } else { Err("must be a URL such as postgres://user:password@host:port/name") }
}

/// A text that makes a key.
fn secret_key(text: &str) -> Result<String, String> {
    SecretKey::from_text(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// A token that is too long to be guessed.
fn metrics_token(text: &str) -> Result<String, &'static str> {
    if text.chars().count() >= 32 {
        Ok(text.to_owned())
    } else {
        Err("must be 32 characters or more; `openssl rand -hex 32` makes a good one")
    }
}

/// A URL that paths can be put behind.
fn public_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|cause: url::ParseError| cause.to_string())?;
    let fits = ["http", "https"].contains(&url.scheme()) && url.query().is_none() && url.fragment().is_none();
    if fits { Ok(url) } else { Err("must be an http or https URL without query, such as https://chat.example.com".to_owned()) }
}

/// A filter in the language of the logs, kept as text.
fn log_filter(text: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(cause) => Err(cause.to_string()),
    }
}
