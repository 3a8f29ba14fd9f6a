//! STOP, START and HELP, as Twilio keeps them per sender and recipient
//! (twilio.com/docs/messaging/features/opt-out). Twilio's own automatic answers are not simulated.

use parlance_model::opt_out::OptSignal;

use super::draft::Draft;
use super::state::{Account, Inner};
use super::whatsapp;

impl Inner {
    /// Notes what a reserved word asks for. STOP holds for the number that it was sent to; START lifts it for the whole
    /// account's service, since that sends from any of its numbers.
    pub(crate) fn note_opt_out(&self, account: &Account, number: &str, customer: &str, signal: OptSignal) {
        let mut peers = self.peers();
        match signal {
            OptSignal::Stop => {
                peers.opted_out.insert((number.to_owned(), customer.to_owned()));
            }
            OptSignal::Start if account.config.messaging_service_sid.is_some() => {
                peers.opted_out.retain(|(own, other)| other != customer || !account.owns(own));
            }
            OptSignal::Start => {
                peers.opted_out.remove(&(number.to_owned(), customer.to_owned()));
            }
            OptSignal::Help => {}
        }
    }

    /// Whether the recipient has stopped this sender; for a Messaging Service without a sender, any of its numbers.
    pub(crate) fn is_opted_out(&self, account: &Account, draft: &Draft) -> bool {
        let peers = self.peers();
        let stopped = |number: &str| peers.opted_out.contains(&(number.to_owned(), draft.to.clone()));
        match &draft.from {
            Some(from) => stopped(from),
            None => {
                let prefix = whatsapp::prefix(&draft.to);
                account.config.phone_numbers.iter().any(|number| stopped(&format!("{prefix}{number}")))
            }
        }
    }
}

/// Twilio's word in `OptOutType`.
pub(crate) const fn word(signal: OptSignal) -> &'static str {
    match signal {
        OptSignal::Stop => "STOP",
        OptSignal::Start => "START",
        OptSignal::Help => "HELP",
    }
}
