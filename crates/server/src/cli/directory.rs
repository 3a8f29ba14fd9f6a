//! Arguments of `org`, `user`, `key` and `account`.

use clap::{Args, Subcommand};
use parlance_model::key::Dialect;
use parlance_model::role::Role;
use url::Url;

use super::public_url;

use super::audit::time;

#[derive(Debug, Subcommand)]
pub(crate) enum OrgAction {
    /// Make an organisation; prints its id
    #[command(after_long_help = "Example:\n  parlance org create \"Acme\" --slug acme --region GB")]
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
    /// List the organisations
    List,
    /// Show an organisation
    Show(OrgArgs),
    /// Switch an organisation off: keys and sessions are refused, hooks put off, and its jobs rest
    Disable(OrgArgs),
    /// Switch an organisation on again
    Enable(OrgArgs),
}

#[derive(Debug, Args)]
pub(crate) struct OrgArgs {
    /// Its slug
    pub(crate) slug: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserAction {
    /// Put a person into an organisation; prints a generated password when none is given
    #[command(after_long_help = "Example:\n  parlance user create --org acme --email ann@example.com --name Ann --role owner")]
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
    /// List the people of this installation, or of one organisation
    List {
        /// The organisation's slug
        #[arg(long)]
        org: Option<String>,
    },
    /// Show a person, and where they work
    Show(UserArgs),
    /// Switch a person off everywhere: sessions end, their keys are refused, and they cannot sign in
    Disable(UserArgs),
    /// Switch a person on again
    Enable(UserArgs),
    /// Give a person another password and end their sessions; prints a generated one when none is given
    Password {
        #[command(flatten)]
        user: UserArgs,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    /// The person's e-mail address
    pub(crate) email: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyAction {
    /// Make an API key; prints the token, which is shown only once
    #[command(after_long_help = "Example:\n  parlance key create --org acme --name reports --user ann@example.com")]
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
    /// List an organisation's keys that are not disabled
    List {
        /// The organisation's slug
        #[arg(long)]
        org: String,
    },
    /// Show a key
    Show(IdArgs),
    /// End a key for good, within a second
    Disable(IdArgs),
}

#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// The organisation's slug
    #[arg(long)]
    pub(crate) org: String,
    /// Its id, as `list` shows it
    pub(crate) id: i64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountAction {
    /// Connect a provider; prints the account's id
    #[command(after_long_help = "Example:\n  parlance account create --org acme twilio --account-sid AC… --auth-token-stdin \
        --phone-number +15551234567 < token.txt")]
    Create {
        /// The organisation's slug
        #[arg(long)]
        org: String,
        /// The provider
        #[command(subcommand)]
        provider: ProviderArgs,
    },
    /// List an organisation's accounts
    List {
        /// The organisation's slug
        #[arg(long)]
        org: String,
    },
    /// Show an account
    Show(IdArgs),
    /// Change an account
    #[command(after_long_help = "Example:\n  parlance account set --org acme 1 --whatsapp-number +15551234567")]
    Set {
        #[command(flatten)]
        account: IdArgs,
        #[command(flatten)]
        changes: AccountChangeArgs,
    },
    /// Try an account from end to end: what its provider says, a message, its delivery report, and an answer
    #[command(after_long_help = "A running server sends the message and takes the answer.\n\n\
        Example:\n  parlance account test --org acme 1 --to +15559876543")]
    Test(TestArgs),
    /// Switch an account off: it neither sends nor receives
    Disable(IdArgs),
    /// Switch an account on again
    Enable(IdArgs),
    /// Compare the provider's lists with what came by hooks, and store what is missing, as history
    #[command(after_long_help = "A server does so by itself when it starts and every ten minutes. Earlier history comes with --since:\n  \
        parlance account backfill --org acme 1 --since 2026-01-01T00:00:00Z")]
    Backfill {
        #[command(flatten)]
        account: IdArgs,
        /// From this time on. Without it, from where the last comparison ended
        #[arg(long, value_name = "TIME", value_parser = time)]
        since: Option<i64>,
    },
}

/// What a change of an account sets. An empty value clears.
#[derive(Debug, Args)]
#[group(required = true, multiple = true, args = ["api_key_sid", "whatsapp_number", "messages_per_second", "ring", "ring_seconds", "greeting", "record"])]
pub(crate) struct AccountChangeArgs {
    /// SK and 32 hexadecimal digits: an API key that the API is asked with in the account's place; empty: none, and its secret is forgotten
    #[arg(long)]
    pub(crate) api_key_sid: Option<String>,
    /// The API key's secret
    #[arg(long, value_name = "SECRET", env = "PARLANCE_TWILIO_API_KEY_SECRET", hide_env_values = true)]
    pub(crate) api_key_secret: Option<String>,
    /// The number that WhatsApp messages go out from, best in E.164 form; empty: none
    #[arg(long)]
    pub(crate) whatsapp_number: Option<String>,
    /// How many messages are handed over in a second, 0 for no limit of ours; empty: as many as its number may send
    #[arg(long, value_name = "N", value_parser = pace)]
    pub(crate) messages_per_second: Option<Pace>,
    #[command(flatten)]
    pub(crate) voice: VoiceArgs,
}

/// What becomes of phone calls.
#[derive(Debug, Args)]
pub(crate) struct VoiceArgs {
    /// A phone that rings when somebody calls, best in E.164 form, and the e-mail address of whose it is. Several ring one after the other; empty: none
    #[arg(long, value_name = "PHONE[=EMAIL]")]
    pub(crate) ring: Option<Vec<String>>,
    /// How long each phone rings, 5 to 120 seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) ring_seconds: Option<i64>,
    /// What a caller hears before the tone; empty: a sentence of Parlance's own
    #[arg(long, value_name = "TEXT")]
    pub(crate) greeting: Option<String>,
    /// Whether calls are recorded; messages of callers always are
    #[arg(long, value_name = "true|false")]
    pub(crate) record: Option<bool>,
}

/// A pace, or its absence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace(pub(crate) Option<i64>);

fn pace(text: &str) -> Result<Pace, std::num::ParseIntError> {
    if text.is_empty() { Ok(Pace(None)) } else { text.parse().map(|pace| Pace(Some(pace))) }
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    pub(crate) account: IdArgs,
    /// The phone that gets the message and answers it
    #[arg(long, value_name = "PHONE")]
    pub(crate) to: String,
    /// How long to wait for each of the server, the delivery report and the answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub(crate) wait: u64,
    /// Let the provider call this server where it does not. Phone calls that go elsewhere stay there while the account rings nobody
    #[arg(long)]
    pub(crate) configure: bool,
    /// Where providers reach the server, as it was told itself
    #[arg(long, value_name = "URL", env = "PARLANCE_PUBLIC_URL", value_parser = public_url)]
    pub(crate) public_url: Option<Url>,
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
    #[arg(long, value_name = "TOKEN", env = "PARLANCE_TWILIO_AUTH_TOKEN", hide_env_values = true)]
    pub(crate) auth_token: String,
    /// SK and 32 hexadecimal digits: an API key that the API is asked with in the account's place
    #[arg(long, requires = "api_key_secret")]
    pub(crate) api_key_sid: Option<String>,
    /// The API key's secret
    #[arg(long, value_name = "SECRET", env = "PARLANCE_TWILIO_API_KEY_SECRET", hide_env_values = true)]
    pub(crate) api_key_secret: Option<String>,
    /// The number, best in E.164 form: +15551234567
    #[arg(long)]
    pub(crate) phone_number: String,
    /// MG and 32 hexadecimal digits; when given, messages are sent through this Messaging Service
    #[arg(long)]
    pub(crate) messaging_service_sid: Option<String>,
    /// The number that WhatsApp messages go out from, best in E.164 form
    #[arg(long)]
    pub(crate) whatsapp_number: Option<String>,
    /// Where the API is, when it is not Twilio itself. The outbound guard trusts it
    #[arg(long)]
    pub(crate) base_url: Option<String>,
    /// How many messages are handed over in a second, 0 to 1000; 0 for no limit. When not given, as many as the number may send
    #[arg(long, value_name = "COUNT")]
    pub(crate) messages_per_second: Option<i64>,
    #[command(flatten)]
    pub(crate) voice: VoiceArgs,
}

/// A word of the model, with the model's own message when it is none.
pub(super) fn word<T: std::str::FromStr<Err = parlance_model::Error>>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|error: parlance_model::Error| error.fields().first().map_or_else(|| error.to_string(), |field| field.message.to_string()))
}
