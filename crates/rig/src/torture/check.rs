//! What was acknowledged, against what the server has and the provider got.

use std::collections::BTreeMap;

use parlance_model::Result;
use parlance_sim::twilio::{Delivery, Direction, HookKind, Sim};
use serde_json::Value;

use super::client::Client;
use super::journal::{Acknowledged, Journal};
use super::load::{STOP, digest};
use super::report::Report;

/// What is compared.
pub(super) struct Check<'a> {
    pub(super) client: &'a Client,
    pub(super) journal: &'a Journal,
    pub(super) sim: &'a Sim,
}

/// What the server has.
struct Stored {
    conversations: BTreeMap<i64, Value>,
    /// Messages by direction and text.
    messages: BTreeMap<(String, String), Vec<Value>>,
}

impl Stored {
    fn of(&self, direction: &str, text: &str) -> &[Value] {
        self.messages.get(&(direction.to_owned(), text.to_owned())).map_or(&[], Vec::as_slice)
    }
}

impl Check<'_> {
    /// Looks for what the journal says since entry `first`, among the newest messages, while the load goes on.
    pub(super) async fn newest(&self, first: usize, report: &mut Report) {
        // The journal is read first: what it says is there from then on.
        let entries = self.journal.since(first);
        match self.stored(false).await {
            Ok(stored) => {
                for entry in &entries {
                    if let Some(lost) = self.missing(entry, &stored, false).await {
                        report.wrong.push(format!("after kill {}: {lost}", report.kills));
                    }
                }
            }
            Err(error) => report.wrong.push(format!("after kill {}: the server does not show what it has: {error}", report.kills)),
        }
    }

    /// Looks for everything, once the load has ended.
    pub(super) async fn everything(&self, report: &mut Report) {
        // What the provider was told before the server is asked has to be there.
        let told = self.sim.deliveries();
        let stored = match self.stored(true).await {
            Ok(stored) => stored,
            Err(error) => return report.wrong.push(format!("the server does not show what it has: {error}")),
        };
        let entries = self.journal.since(0);
        report.acknowledged = entries.len();
        let newest: BTreeMap<_, _> = entries.iter().filter_map(|entry| Some((handled(entry)?, entry))).collect();
        for entry in &entries {
            let last = handled(entry).is_none_or(|conversation| std::ptr::eq(newest[&conversation], entry));
            match self.missing(entry, &stored, last).await {
                Some(lost) => report.wrong.push(lost),
                None => report.found += 1,
            }
        }
        self.twice(&stored, report);
        self.provider(&stored, &told, report);
    }

    /// How many messages wait to be handed over.
    pub(super) async fn waiting(&self) -> Result<usize> {
        let stored = self.stored(true).await?;
        Ok(stored.messages.values().flatten().filter(|message| message["delivery_state"] == "pending").count())
    }

    async fn stored(&self, whole: bool) -> Result<Stored> {
        let mut stored = Stored { conversations: BTreeMap::new(), messages: BTreeMap::new() };
        for conversation in self.client.all("/api/v1/conversations").await? {
            let path = format!("/api/v1/conversations/{}/messages", conversation["id"]);
            let messages = if whole {
                self.client.all(&path).await?
            } else {
                let mut page = self.client.get(&format!("{path}?limit=200")).await?;
                page["data"].as_array_mut().map(std::mem::take).unwrap_or_default()
            };
            for message in messages {
                let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
                stored.messages.entry((text("direction"), text("body"))).or_default().push(message);
            }
            stored.conversations.insert(conversation["id"].as_i64().unwrap_or_default(), conversation);
        }
        Ok(stored)
    }

    /// What is not as it was acknowledged. `last`: nothing was done since with what the entry is about.
    async fn missing(&self, entry: &Acknowledged, stored: &Stored, last: bool) -> Option<String> {
        match entry {
            Acknowledged::Inbound { text } => {
                stored.of("inbound", text).is_empty().then(|| format!("the inbound message {text} was acknowledged and is lost"))
            }
            Acknowledged::Outbound { text, id } => {
                let found = stored.of("outbound", text).iter().any(|message| message["id"] == *id);
                (!found).then(|| format!("the message {text} was acknowledged with the id {id} and is lost"))
            }
            Acknowledged::Stopped { text } => {
                let went = stored.of("outbound", text).iter().any(|message| message["delivery_state"] != "opted_out");
                went.then(|| format!("{text} was taken for somebody who had opted out"))
            }
            Acknowledged::File { id, sha256 } => {
                let same = self.content(*id).await.is_some_and(|content| digest(&content) == *sha256);
                (!same).then(|| format!("the file {id} was acknowledged and is not there as it was"))
            }
            Acknowledged::Handled { conversation, turn, assigned_to } => {
                let stored = stored.conversations.get(conversation).unwrap_or(&Value::Null);
                let as_said = if last {
                    stored["metadata"]["turn"] == *turn && stored["assigned_to"].as_i64() == *assigned_to && stored["unread_count"] == 0
                } else {
                    stored["metadata"]["turn"].as_u64().is_some_and(|stored| stored >= *turn)
                };
                (!as_said).then(|| format!("turn {turn} of conversation {conversation} was acknowledged and is lost"))
            }
        }
    }

    async fn content(&self, id: i64) -> Option<bytes::Bytes> {
        let shown = self.client.get(&format!("/api/v1/media/{id}")).await.ok()?;
        self.client.file(shown["data"]["url"].as_str()?).await
    }

    /// What is stored twice.
    fn twice(&self, stored: &Stored, report: &mut Report) {
        for ((direction, text), messages) in &stored.messages {
            if messages.len() > 1 && text != STOP {
                report.doubled += 1;
                report.wrong.push(format!("the {direction} message {text} is stored {} times", messages.len()));
            }
            report.unknown += messages.iter().filter(|message| message["delivery_state"] == "unknown").count();
        }
    }

    /// What the provider got, and what it was told that we know.
    fn provider(&self, stored: &Stored, told: &[Delivery], report: &mut Report) {
        let mut taken: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for message in self.sim.messages().into_iter().filter(|message| message.direction == Direction::OutboundApi) {
            taken.entry(message.body).or_default().push(message.sid);
        }
        report.sent = taken.len();
        for (text, sids) in taken.iter().filter(|(_, sids)| sids.len() > 1) {
            report.doubled += 1;
            report.wrong.push(format!("{text} was handed to the provider {} times", sids.len()));
        }
        for text in taken.keys().filter(|text| text.starts_with("after-stop")) {
            report.wrong.push(format!("{text} went out to somebody who had opted out"));
        }
        let texts: BTreeMap<_, _> = taken.iter().flat_map(|(text, sids)| sids.iter().map(move |sid| (sid.as_str(), text))).collect();
        for told in told.iter().filter(|told| told.kind == HookKind::StatusCallback && told.accepted()) {
            let Some(text) = texts.get(told.sid.as_str()) else { continue };
            let delivered = told.form.get("MessageStatus").is_some_and(|status| status == "delivered");
            if delivered && !stored.of("outbound", text).iter().any(|message| message["delivery_state"] == "delivered") {
                report.wrong.push(format!("that {text} was delivered was acknowledged and is lost"));
            }
        }
    }
}

/// The conversation that this is a state of.
fn handled(entry: &Acknowledged) -> Option<i64> {
    match entry {
        Acknowledged::Handled { conversation, .. } => Some(*conversation),
        _ => None,
    }
}
