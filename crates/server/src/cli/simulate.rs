//! Arguments of `simulate`.

use std::net::SocketAddr;

use clap::{Args, Subcommand};
use url::Url;

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
    /// Where inbound messages, calls and reports of calls are posted: https://…/webhooks/twilio
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
