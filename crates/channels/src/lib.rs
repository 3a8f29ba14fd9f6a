//! Providers, one folder each: verify a hook, parse it into our words, send a message, place and direct a call, read the provider's
//! own lists, fetch a file.
//!
//! An adapter knows its provider's formats and nothing of the store or of our own API. To add one: a folder and a
//! line in [`of`] (`docs/adding-a-channel.md`).

pub mod twilio;

use std::future::Future;
use std::pin::Pin;

use http::HeaderMap;
use parlance_model::Result;
use parlance_model::account::Account;
use parlance_model::call::news::CallNews;
use parlance_model::call::next::Directed;
use parlance_model::channel::{Channel as Medium, Provider};
use parlance_model::delivery::DeliveryError;
use parlance_model::inbound::Inbound;
use parlance_model::listed::{ListFailure, Listing, Page};
use parlance_model::media::Facts;
use parlance_model::outbound::{Outgoing, OutgoingCall, SendOutcome};

/// A request from a provider, before anything about it is believed.
#[derive(Debug, Clone, Copy)]
pub struct Hook<'a> {
    /// `POST` or `GET`.
    pub method: &'a str,
    /// The public URLs that the provider may have called and signed, best guess first: configuration, never the Host header.
    pub urls: &'a [String],
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, untouched: signatures cover these bytes.
    pub body: &'a [u8],
}

/// What verified bytes turned out to be.
#[derive(Debug)]
pub enum Parsed {
    /// Things to apply, in order.
    Apply(Vec<Inbound>),
    /// Something about a phone call. The answer says what the provider is to do next with it.
    Call(CallNews),
    /// Genuine, but for a number that is not this account's.
    NotOurs,
    /// Genuine, and nothing that we can apply: kept for a person and for a later version, with this reason.
    Quarantine(&'static str),
}

/// A send in progress.
pub type Sending<'a> = Pin<Box<dyn Future<Output = SendOutcome> + Send + 'a>>;

/// A look into a provider's list, under way.
pub type Looking<'a> = Pin<Box<dyn Future<Output = std::result::Result<Page, ListFailure>> + Send + 'a>>;

/// A look at one call, under way: what hooks would have told of it, in order. Nothing of a call that is not the account's.
pub type LookingAtCall<'a> = Pin<Box<dyn Future<Output = std::result::Result<Vec<CallNews>, ListFailure>> + Send + 'a>>;

/// What came of asking a provider for a file of a message.
#[derive(Debug)]
pub enum Fetched {
    /// It is coming.
    Here(parlance_net::Streamed),
    /// Not now: it is not there yet, the provider is busy, or it could not be reached. Asking again may help.
    Later {
        /// What was seen.
        error: DeliveryError,
    },
    /// The provider refuses the account. Asking again may help once somebody has put that right.
    Account {
        /// The reason.
        error: DeliveryError,
    },
    /// There is no such file, or it may not be fetched.
    Gone {
        /// The reason.
        error: DeliveryError,
    },
}

/// A fetch in progress.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Fetched> + Send + 'a>>;

/// One thing that was looked at, at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What, in a word: `credentials`.
    pub step: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found; where it is not as it should be, what to do.
    pub text: String,
}

/// A check in progress.
pub type Checking<'a> = Pin<Box<dyn Future<Output = Vec<Finding>> + Send + 'a>>;

/// A hook that was read once, for every account that it may be of.
pub trait Claim: Send {
    /// The provider's own name for the account that the hook claims to come from (Twilio: `AccountSid`). Unverified.
    ///
    /// # Errors
    /// `malformed` when it names none.
    fn account_name(&self) -> Result<&str>;

    /// Whether the account's secret signed this hook. Over the raw bytes, in constant time.
    fn verify(&self, account: &Account) -> bool;

    /// Puts a verified hook into our words.
    fn parse(&self, account: &Account) -> Parsed;
}

/// What every provider's adapter does.
pub trait Channel: Send + Sync {
    /// Reads what a hook claims. Nothing of it is believed yet.
    fn read<'h>(&self, hook: &'h Hook<'h>) -> Box<dyn Claim + 'h>;

    /// The provider's account name in our settings, by which a hook finds its accounts.
    fn account_name<'a>(&self, account: &'a Account) -> &'a str;

    /// What a hook is answered when all is well: content type and body.
    fn answer(&self) -> (&'static str, &'static str);

    /// What a hook about a call is answered, in the same content type: what the provider is to do next. `public_url` is where
    /// the provider reaches us.
    fn direct(&self, public_url: &str, account: &Account, to: &Directed) -> String;

    /// The most files of a message of this medium, links included.
    fn files_limit(&self, channel: Medium) -> usize;

    /// Refuses files that the provider is known to refuse, so that nobody learns it only after sending.
    ///
    /// # Errors
    /// `validation_failed` on `media_ids`, saying what can be sent.
    fn check_files(&self, channel: Medium, files: &[&Facts]) -> Result<()>;

    /// Places one call, once. Never retries, and says honestly what is known.
    fn call<'a>(&'a self, http: &'a parlance_net::Client, public_url: &'a str, account: &'a Account, call: &'a OutgoingCall)
    -> Sending<'a>;

    /// Hands one message over, once. Never retries, and says honestly what is known.
    fn send<'a>(&'a self, http: &'a parlance_net::Client, account: &'a Account, message: &'a Outgoing) -> Sending<'a>;

    /// A page of the provider's own lists of the account's messages and calls: the first, or the one that an earlier page named.
    fn list<'a>(&'a self, http: &'a parlance_net::Client, account: &'a Account, wanted: &'a Listing, page: Option<&'a str>) -> Looking<'a>;

    /// Asks for a call with its legs and recordings.
    fn find_call<'a>(&'a self, http: &'a parlance_net::Client, account: &'a Account, provider_id: &'a str) -> LookingAtCall<'a>;

    /// Asks once for a file of a message that came in, or for a recording of a call, at the address that the provider named. Takes less
    /// than a minute, its content included. The account's credentials go to its own provider alone, whatever the address and its
    /// redirects are.
    fn fetch<'a>(&'a self, http: &'a parlance_net::Client, account: &'a Account, url: &'a str) -> Fetching<'a>;

    /// Looks at the provider whether the account can send, and whether it calls us at `hook_url`; with `configure`, that is set there
    /// where it is not. Ends at the first thing that is wrong.
    fn check<'a>(&'a self, http: &'a parlance_net::Client, account: &'a Account, hook_url: &'a str, configure: bool) -> Checking<'a>;
}

/// The adapter of a provider.
#[must_use]
pub fn of(provider: Provider) -> &'static dyn Channel {
    match provider {
        Provider::Twilio => &twilio::Twilio,
    }
}
