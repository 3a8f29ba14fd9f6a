//! The trial of an account from end to end, for whoever sets it up: what its provider says of it, a message that goes out the way of
//! every message, its delivery report, and an answer that comes in.

use std::time::Duration;

use parlance_model::audit::Actor;
use parlance_model::channel::Channel;
use parlance_model::delivery::{DeliveryState, DeliveryStatus};
use parlance_model::id::{AccountId, MessageId, OrgId};
use parlance_model::message::{Direction, Message};
use parlance_model::phone::Phone;
use parlance_model::{Error, Result};
use parlance_store::{OrgTx, contact, message};
use tokio::time::Instant;

pub use parlance_channels::Finding;

use crate::App;
use crate::account::working;
use crate::contact::created;
use crate::send::{Draft, Recipient, Route, queue};

/// How often it is looked what came of the message.
const LOOK: Duration = Duration::from_millis(250);
/// What the message says.
const TEXT: &str = "This is a test of Parlance. Please answer this message.";

/// What is to be tried.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The org's slug.
    pub org: String,
    /// Which of its accounts.
    pub account: AccountId,
    /// Whose phone gets the message.
    pub to: String,
    /// How long is waited for the server, for the report, and for the answer, each.
    pub wait: Duration,
    /// Whether the provider's settings may be changed so that it calls us.
    pub configure: bool,
}

impl App {
    /// Tries an account, and says each step once it is done. A step that fails ends it. Answers whether all went well.
    ///
    /// # Errors
    /// `not_found`; `validation_failed` on `to`; what refuses a send; those of the database.
    pub async fn try_account(&self, trial: &Trial, mut say: impl FnMut(&Finding) -> Result<()>) -> Result<bool> {
        let account = self.account_of(&trial.org, trial.account).await?;
        let hook_url = self.hook_url(&account);
        let channel = parlance_channels::of(account.provider());
        for finding in channel.check(&self.0.http, &account, &hook_url, trial.configure).await {
            say(&finding)?;
            if !finding.ok {
                return Ok(false);
            }
        }
        let sent = self.send_trial(trial).await?;
        for step in [Step::Message, Step::Report, Step::Answer] {
            let finding = self.follow(account.org, sent, step, trial.wait, &hook_url).await?;
            say(&finding)?;
            if !finding.ok {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Stores the message, over this account whatever others there are. A server sends it.
    async fn send_trial(&self, trial: &Trial) -> Result<MessageId> {
        let (org, id, to) = (self.org(&trial.org).await?, trial.account, trial.to.clone());
        let peer = Phone::parse(&to, org.region).map_err(|_| Error::invalid("to", "Must be a phone number, best in E.164 form."))?;
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let account = working(tx, id)?;
            let identity = parlance_model::contact::Identity::phone(&peer);
            let (contact, made) = contact::find_or_create(tx, &identity, &contact::Details::default())?;
            if made {
                tx.audit(&created(&contact))?;
            }
            let (conversation, _) = Route { account, channel: Channel::Sms, contact, peer: peer.clone() }.open(tx)?;
            queue(tx, &conversation, None, &draft(Recipient::Conversation(conversation.id)))
        };
        self.store().write_as(org.id, Actor::COMMAND, write).await
    }

    /// Waits until the step is done or the time is up.
    async fn follow(&self, org: OrgId, id: MessageId, step: Step, wait: Duration, hook_url: &str) -> Result<Finding> {
        let until = Instant::now() + wait;
        loop {
            let (sent, answer) = self.store().read(org, move |tx| seen(tx, id)).await?;
            if let Some((ok, text)) = step.judge(&sent, answer.as_ref()) {
                if sent.state == DeliveryState::Pending {
                    self.withdraw_trial(org, id).await?;
                }
                return Ok(Finding { step: step.word(), ok, text });
            }
            if Instant::now() >= until {
                if let Step::Message = step {
                    self.withdraw_trial(org, id).await?;
                }
                return Ok(Finding { step: step.word(), ok: false, text: step.too_late(wait, hook_url) });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Takes a message back that waits, so that it does not go out at another time.
    async fn withdraw_trial(&self, org: OrgId, id: MessageId) -> Result<()> {
        let write = move |tx: &mut OrgTx<'_, '_>| match crate::message::cancel(tx, id) {
            // Somebody sends it just now.
            Err(error) if error.code() == "too_late" => Ok(()),
            result => result,
        };
        self.store().write_as(org, Actor::COMMAND, write).await
    }
}

/// What is waited for.
#[derive(Debug, Clone, Copy)]
enum Step {
    Message,
    Report,
    Answer,
}

impl Step {
    const fn word(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Report => "delivery_report",
            Self::Answer => "answer",
        }
    }

    /// How it went, once that is known.
    fn judge(self, sent: &Message, answer: Option<&Message>) -> Option<(bool, String)> {
        let done = |text: &str| Some((true, text.to_owned()));
        let reason = || Some((false, sent.error_message.clone().unwrap_or_else(|| format!("The message is {}.", sent.state))));
        match (self, sent.state, sent.state.status()) {
            (Self::Message, DeliveryState::Pending, _) if sent.error_code.is_some() => reason(),
            (Self::Message, DeliveryState::Pending, _) | (Self::Report, DeliveryState::Queued | DeliveryState::Sending, _) => None,
            (Self::Message | Self::Report, DeliveryState::Unknown, _) | (Self::Message | Self::Report, _, DeliveryStatus::Failed) => {
                reason()
            }
            (Self::Message, ..) => done("The message was sent, and the provider took it."),
            (Self::Report, state, _) => {
                Some((true, format!("The provider reported the message as {state}. Please answer it from that phone now.")))
            }
            (Self::Answer, ..) => answer.and_then(|_| done("The answer came in.")),
        }
    }

    fn too_late(self, wait: Duration, hook_url: &str) -> String {
        let seconds = wait.as_secs();
        match self {
            Self::Message => {
                format!("Nothing sent the message within {seconds} seconds, and it was taken back. Start `parlance serve`, or see its log.")
            }
            Self::Report => format!(
                "The provider took the message and reported nothing within {seconds} seconds. Check that {hook_url} can be reached from the \
                 internet, and that the server's public URL is the same."
            ),
            Self::Answer => format!(
                "No answer came within {seconds} seconds. If one was sent, check what the provider's console says of calling {hook_url}."
            ),
        }
    }
}

/// The message as it now stands, and the first of what came in after it.
fn seen(tx: &mut OrgTx<'_, '_>, id: MessageId) -> Result<(Message, Option<Message>)> {
    let sent = message::get(tx, id)?;
    let thread = message::list(tx, sent.conversation_id, None, 20, 0)?;
    let answer = thread.into_iter().find(|message| message.direction == Direction::Inbound && message.id > id);
    Ok((sent, answer))
}

fn draft(to: Recipient) -> Draft {
    Draft { valid_s: Some(600), ..Draft::text(to, TEXT) }
}
