//! The command line, as `--help` shows it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;
use parlance_model::key::Dialect;
use parlance_model::role::Role;
use url::Url;

/// A self-hosted conversations server: SMS in one inbox, one API, one event stream.
#[derive(Debug, Parser)]
#[command(version, about, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the data is.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlaceArgs {
    /// The data folder: the embedded database and the secret key. One folder to back up
    #[arg(long, global = true, value_name = "DIR", env = "PARLANCE_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Keep everything in PostgreSQL instead: postgres://user:password@host:port/name
    #[arg(long, global = true, value_name = "URL", env = "PARLANCE_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// Encrypts provider secrets. Without it, the data folder keeps a key of its own
    #[arg(long, global = true, value_name = "KEY", env = "PARLANCE_SECRET_KEY", hide_env_values = true)]
    pub(crate) secret_key: Option<String>,
    /// What a commit promises: `full` survives power loss, `relaxed` a killed process only (embedded database)
    #[arg(long, global = true, value_name = "WORD", env = "PARLANCE_DURABILITY", default_value = "full", value_parser = ["full", "relaxed"])]
    pub(crate) durability: String,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API and the provider hooks
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
    /// Bring the database to this version's schema, and stop
    Migrate,
    /// Check what is promised against what is stored
    Doctor {
        /// Recount every conversation and recompute every message
        #[arg(long)]
        deep: bool,
    },
    /// A provider's simulator alone, with faults on request
    #[command(subcommand)]
    Simulate(Simulate),
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on
    #[arg(long, value_name = "ADDR", env = "PARLANCE_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Where providers reach this server: what they call and sign. Default: http:// and the address above
    #[arg(long, value_name = "URL", env = "PARLANCE_PUBLIC_URL")]
    pub(crate) public_url: Option<Url>,
    /// Let outbound requests reach these private addresses, such as 10.1.0.0/16. May be repeated
    #[arg(long, value_name = "CIDR", env = "PARLANCE_ALLOW_OUTBOUND", value_delimiter = ',')]
    pub(crate) allow_outbound: Vec<IpNet>,
}

/// How to show the demo.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// The address to listen on
    #[arg(long, value_name = "ADDR", env = "PARLANCE_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrgAction {
    /// Make an organisation; prints its id
    Create {
        /// Its name
        name: String,
        /// Its name in commands: lower-case letters, digits and hyphens
        #[arg(long)]
        slug: String,
        /// Where national phone numbers are read: a two-letter country code
        #[arg(long, default_value = "US")]
        region: String,
    },
    /// Show an organisation
    Show {
        /// Its slug
        slug: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserAction {
    /// Put a person into an organisation; prints a generated password when none is given
    Create {
        /// The organisation's slug
        #[arg(long)]
        org: String,
        /// The person's e-mail address
        #[arg(long)]
        email: String,
        /// The name that colleagues see
        #[arg(long)]
        name: String,
        /// What they may do: agent, admin or owner
        #[arg(long, value_parser = word::<Role>)]
        role: Role,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyAction {
    /// Make an API key; prints the token, which is shown only once
    Create {
        /// The organisation's slug
        #[arg(long)]
        org: String,
        /// The person it speaks for, by e-mail address. Without one it has the rights of an admin and no person
        #[arg(long)]
        user: Option<String>,
        /// The dialect that it is pinned to
        #[arg(long, value_parser = word::<Dialect>)]
        dialect: Option<Dialect>,
        /// What people call it
        #[arg(long)]
        name: String,
        /// Let it speak as the assistant and set a message's `meta`
        #[arg(long)]
        assistant: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountAction {
    /// Connect a provider; prints the account's id
    Create {
        /// The organisation's slug
        #[arg(long)]
        org: String,
        /// The provider
        #[command(subcommand)]
        provider: ProviderArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProviderArgs {
    /// A Twilio number
    Twilio(TwilioArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TwilioArgs {
    /// AC and 32 hexadecimal digits, from Twilio's console
    #[arg(long)]
    pub(crate) account_sid: String,
    /// The account's auth token, from Twilio's console
    #[arg(long, env = "PARLANCE_TWILIO_AUTH_TOKEN", hide_env_values = true, required_unless_present = "auth_token_stdin")]
    pub(crate) auth_token: Option<String>,
    /// Read the auth token from standard input
    #[arg(long, conflicts_with = "auth_token")]
    pub(crate) auth_token_stdin: bool,
    /// The number, best in E.164 form: +15551234567
    #[arg(long)]
    pub(crate) phone_number: String,
    /// MG and 32 hexadecimal digits; when given, messages are sent through this Messaging Service
    #[arg(long)]
    pub(crate) messaging_service_sid: Option<String>,
    /// Where the API is, when it is not Twilio itself. The outbound guard trusts it
    #[arg(long)]
    pub(crate) base_url: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Simulate {
    /// Twilio's messaging API, with signed webhooks. Prints its base URL
    Twilio(SimulateTwilio),
}

#[derive(Debug, Args)]
pub(crate) struct SimulateTwilio {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// The account's SID
    #[arg(long, default_value = "AC00000000000000000000000000000001")]
    pub(crate) account_sid: String,
    /// The account's auth token
    #[arg(long, default_value = "simulated-auth-token-0000000001")]
    pub(crate) auth_token: String,
    /// A number of the account. May be repeated
    #[arg(long, default_value = "+15551234567")]
    pub(crate) phone_number: Vec<String>,
    /// The Messaging Service that the numbers belong to
    #[arg(long)]
    pub(crate) messaging_service_sid: Option<String>,
    /// Where inbound messages are posted: https://…/webhooks/twilio
    #[arg(long)]
    pub(crate) webhook_url: Option<Url>,
    /// Inbound keywords carry OptOutType, as with Advanced Opt-Out
    #[arg(long)]
    pub(crate) advanced_opt_out: bool,
    /// Milliseconds between two states of a message
    #[arg(long, default_value_t = 200)]
    pub(crate) callback_step_ms: u64,
    /// Let a cast of customers write and answer
    #[arg(long)]
    pub(crate) customers: bool,
}

/// A word of the model, with the model's own message when it is none.
fn word<T: std::str::FromStr<Err = parlance_model::Error>>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|error: parlance_model::Error| error.fields().first().map_or_else(|| error.to_string(), |field| field.message.to_string()))
}
