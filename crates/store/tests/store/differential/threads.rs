//! What is said in conversations and done to them: messages in and out, calls, reading, assigning, files.

use parlance_model::Result;
use parlance_model::account::Account;
use parlance_model::call::{Call, CallStatus};
use parlance_model::channel::Channel;
use parlance_model::contact::Identity;
use parlance_model::conversation::{Conversation, Status, Visitor, session_key};
use parlance_model::event::Event;
use parlance_model::id::{ConversationId, MediaId, MessageId};
use parlance_model::job::{Job, Lane};
use parlance_model::media::Facts;
use parlance_model::message::{Attachment, Kind};
use parlance_model::phone::Address;
use parlance_store::media::Uploaded;
use parlance_store::message::NewMessage;
use parlance_store::{OrgTx, call, contact, conversation, job, media, message};

use super::side::{Side, ended};
use crate::dice::Dice;
use crate::fixture::{inbound, outbound, phone};

pub(super) const NUMBERS: [&str; 10] = [
    "+15550100001",
    "+15550100002",
    "+15550100003",
    "+15550100004",
    "+15550100005",
    "+15550100006",
    "+4930901820",
    "+4930901821",
    "+442071838750",
    "+33142685300",
];
const BODIES: [&str; 8] = [
    "Is the red bicycle still there?",
    "Yes, come by at five.",
    "Danke schön, bis Größe 5 morgen!",
    "STOP",
    "",
    "100% of it_is\\here 'quoted' \"twice\"",
    "日本語のテキスト 🚲",
    "A long line of words that no preview shows whole, because it goes on and on about bicycles, their wheels, their bells, and what becomes of them.",
];
const CHANNELS: [Channel; 3] = [Channel::Sms, Channel::Sms, Channel::Whatsapp];

impl Side {
    pub(super) async fn talk(&mut self, dice: &Dice) -> String {
        match dice.below(12) {
            0..=3 => self.receive(dice).await,
            4..=6 => self.send(dice).await,
            7 => self.ring(dice).await,
            8 => self.change_conversation(dice).await,
            9 => self.read(dice).await,
            10 => self.upload(dice).await,
            _ => self.change_call(dice).await,
        }
    }

    async fn receive(&mut self, dice: &Dice) -> String {
        let (number, channel) = (dice.pick(&NUMBERS).unwrap(), dice.pick(&CHANNELS).unwrap());
        let now_ms = self.f.store.now_ms();
        let (file, fetch) = (dice.pick(&self.media).filter(|_| dice.chance(4)), dice.chance(6));
        let new = NewMessage {
            inbound_id: Some(format!("SM-in-{}", dice.below(300))),
            at_ms: dice.chance(2).then(|| now_ms - dice.below(100_000)),
            history: dice.chance(8),
            segments: dice.maybe(&[1, 2]),
            ..inbound(dice.pick(&BODIES).unwrap())
        };
        let account = self.f.account.clone();
        let result = self.write(move |tx| receive(tx, &account, (number, channel), &new, file, fetch)).await;
        if let Ok(Some((conversation, message))) = result {
            self.know(conversation, message);
        }
        ended("receive", &result)
    }

    async fn send(&mut self, dice: &Dice) -> String {
        let (number, channel) = (dice.pick(&NUMBERS).unwrap(), dice.pick(&CHANNELS).unwrap());
        let later_ms = dice.chance(4).then(|| self.f.store.now_ms() + dice.below(60_000));
        let file = dice.pick(&self.media).filter(|_| dice.chance(4));
        let new = NewMessage {
            sender_user: dice.maybe(&self.users),
            send_at_ms: later_ms,
            valid_s: dice.maybe(&[60, 14_400]),
            ..outbound(dice.pick(&BODIES).unwrap())
        };
        let account = self.f.account.clone();
        let result = self.write(move |tx| send(tx, &account, (number, channel), &new, file)).await;
        if let Ok((conversation, message)) = result {
            self.know(conversation, message);
        }
        ended("send", &result)
    }

    /// A call that we make.
    async fn ring(&mut self, dice: &Dice) -> String {
        let (number, staff) = (dice.pick(&NUMBERS).unwrap(), phone("+15550199999"));
        let new =
            NewMessage { kind: Kind::Call, call: Some(Call { staff_phone: Some(staff), ..Call::of(CallStatus::Queued) }), ..outbound("") };
        let account = self.f.account.clone();
        let result = self
            .write(move |tx| {
                let (conversation, message) = append(tx, &account, (number, Channel::Voice), &new)?;
                let now_ms = tx.now_ms();
                job::enqueue(tx, &Job::Call { message_id: message }, Some(Lane::Message(message)), now_ms)?;
                Ok((conversation, message))
            })
            .await;
        if let Ok((conversation, message)) = result {
            self.know(conversation, message);
        }
        ended("ring", &result)
    }

    /// News of a call.
    async fn change_call(&mut self, dice: &Dice) -> String {
        let (Some(id), Some(status)) = (dice.pick(&self.messages), dice.pick(CallStatus::ALL)) else { return "no call".to_owned() };
        let text = dice.pick(&BODIES).unwrap();
        let result = self
            .write(move |tx| {
                let mut message = message::get(tx, id)?;
                let Some(before) = message.call.take() else { return Ok(None) };
                message.call = Some(before.fold(Call { duration_s: Some(7), ..Call::of(status) }));
                message.body = text.to_owned();
                call::save(tx, &message).map(Some)
            })
            .await;
        ended("call", &result)
    }

    async fn change_conversation(&mut self, dice: &Dice) -> String {
        let Some(id) = dice.pick(&self.conversations) else { return "no conversation".to_owned() };
        let (status, user, starred) = (dice.maybe(Status::ALL), dice.maybe(&self.users), dice.chance(2));
        let visitor = dice.chance(3).then(|| Visitor {
            name: dice.maybe(&["Zoë Visitor", "Max"]).map(str::to_owned),
            email: dice.maybe(&["zoe@example.com"]).map(str::to_owned),
            phone: dice.maybe(&["(555) 010-0042"]).map(str::to_owned),
        });
        let result = self
            .write(move |tx| {
                let before = conversation::get(tx, id)?;
                let mut after = Conversation { assigned_to: user, starred, ..before.clone() };
                after.standing = status.map_or(before.standing, |status| before.standing.set(status));
                after.visitor = visitor.clone().unwrap_or(after.visitor);
                after.metadata.0.insert("note".to_owned(), starred.into());
                conversation::save(tx, &before, &after)?;
                tx.emit(Event::ConversationUpdated { conversation_id: id });
                Ok(())
            })
            .await;
        ended("change conversation", &result)
    }

    async fn read(&mut self, dice: &Dice) -> String {
        if let Some(user) = dice.pick(&self.users).filter(|_| dice.chance(4)) {
            return ended("unassign", &self.write(move |tx| conversation::unassign(tx, user, 3)).await);
        }
        let Some(id) = dice.pick(&self.conversations) else { return "no conversation".to_owned() };
        let result = self
            .write(move |tx| {
                let before = conversation::get(tx, id)?;
                conversation::mark_read(tx, &before).map(|after| (after.unread_count, after.read_through))
            })
            .await;
        ended("read", &result)
    }

    async fn upload(&mut self, dice: &Dice) -> String {
        if let Some(id) = dice.pick(&self.media).filter(|_| dice.chance(3)) {
            return self.change_file(dice, id).await;
        }
        let key = format!("file-{}", self.media.len());
        let facts =
            Facts { content_type: "image/png".to_owned(), size: dice.below(9000), name: "a.png".to_owned(), width: None, height: Some(3) };
        let (whole, seen) = (dice.chance(2), Uploaded { facts, sha256: [7; 32], thumbnail_key: dice.maybe(&["thumb"]).map(str::to_owned) });
        let result = self
            .write(move |tx| {
                let id = media::begin(tx, &key)?;
                if whole { media::finish(tx, id, &seen).map(|found| found.id) } else { Ok(id) }
            })
            .await;
        self.media.extend(result.as_ref().ok());
        ended("upload", &result)
    }

    async fn change_file(&mut self, dice: &Dice, id: MediaId) -> String {
        let now_ms = self.f.store.now_ms();
        match dice.below(4) {
            0 => ended("doom", &self.write(move |tx| media::doom(tx, id)).await),
            1 => ended("forget", &self.write(move |tx| media::forget(tx, id)).await),
            2 => ended(
                "doom aged",
                &self.system(move |tx| media::doom_aged(tx, now_ms - 600_000, 2)).await.map(|mut gone| {
                    // RETURNING has no order.
                    gone.sort_by_key(|gone| gone.id);
                    gone
                }),
            ),
            _ => {
                let facts = Facts { content_type: "audio/ogg".to_owned(), size: 3, name: String::new(), width: None, height: None };
                let seen = Uploaded { facts, sha256: [9; 32], thumbnail_key: None };
                ended("finish", &self.write(move |tx| media::finish(tx, id, &seen)).await)
            }
        }
    }

    fn know(&mut self, conversation: ConversationId, message: MessageId) {
        self.messages.push(message);
        if !self.conversations.contains(&conversation) {
            self.conversations.push(conversation);
        }
    }
}

type To = (&'static str, Channel);

/// Stores a message in the conversation of a number, which is made when there is none.
fn append(tx: &mut OrgTx<'_, '_>, account: &Account, (number, channel): To, new: &NewMessage) -> Result<(ConversationId, MessageId)> {
    let address = Address::Phone(phone(number));
    let (contact, made) = contact::find_or_create(tx, &Identity::of(&address), &contact::Details::default())?;
    let session_key = session_key(channel, &address);
    let key = conversation::Key { account, session_key, channel, peer: address.key(), contact: contact.id };
    let (before, _) = conversation::find_or_create(tx, &key)?;
    let mut after = before.clone();
    let id = message::append(tx, &mut after, new, made)?;
    conversation::save(tx, &before, &after)?;
    Ok((after.id, id))
}

fn stored(tx: &mut OrgTx<'_, '_>, file: Option<MediaId>) -> Result<Vec<Attachment>> {
    let Some(id) = file else { return Ok(Vec::new()) };
    let found = media::attach(tx, id)?;
    Ok(vec![Attachment::Stored { media_id: id, facts: found.facts, has_thumbnail: found.thumbnail_key.is_some() }])
}

fn receive(
    tx: &mut OrgTx<'_, '_>,
    account: &Account,
    to: To,
    new: &NewMessage,
    file: Option<MediaId>,
    fetch: bool,
) -> Result<Option<(ConversationId, MessageId)>> {
    if !message::known(tx, &[(account.id, new.inbound_id.as_deref().unwrap_or_default())])?.is_empty() {
        return Ok(None);
    }
    let mut new = NewMessage { attachments: stored(tx, file)?, ..new.clone() };
    if fetch {
        new.attachments.push(Attachment::remote("https://example.com/file".to_owned(), "image/jpeg".to_owned()));
    }
    let (conversation, message) = append(tx, account, to, &new)?;
    if fetch {
        let now_ms = tx.now_ms();
        let job = Job::FetchMedia { message_id: message, index: new.attachments.len() - 1 };
        job::enqueue(tx, &job, Some(Lane::Message(message)), now_ms)?;
    }
    Ok(Some((conversation, message)))
}

fn send(tx: &mut OrgTx<'_, '_>, account: &Account, to: To, new: &NewMessage, file: Option<MediaId>) -> Result<(ConversationId, MessageId)> {
    let new = NewMessage { attachments: stored(tx, file)?, ..new.clone() };
    let (conversation, id) = append(tx, account, to, &new)?;
    let (lane, run_at_ms) = (message::get(tx, id)?.lane(), new.send_at_ms.unwrap_or_else(|| tx.now_ms()));
    job::enqueue(tx, &Job::Send { message_id: id }, Some(lane), run_at_ms)?;
    Ok((conversation, id))
}
