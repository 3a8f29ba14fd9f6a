//! Calls: the message that is a call, by the provider's id of it, and what reports change of it.

use parlance_model::call::{Call, CallStatus};
use parlance_model::conversation::Conversation;
use parlance_model::delivery::DeliveryState;
use parlance_model::event::Event;
use parlance_model::id::{AccountId, MessageId};
use parlance_model::message::Message;
use parlance_model::{Error, Result};

use crate::db::params;
use crate::{OrgTx, conversation, message};

/// The message of a call that the account carried: one that came in, or one that we made.
///
/// # Errors
/// Those of the database.
pub fn find(tx: &mut OrgTx<'_, '_>, account: AccountId, provider_id: &str) -> Result<Option<MessageId>> {
    const INBOUND: &str = "SELECT id FROM message WHERE org_id = $1 AND account_id = $2 AND inbound_id = $3";
    const OUTBOUND: &str = "SELECT message_id FROM attempt WHERE org_id = $1 AND account_id = $2 AND provider_id = $3";
    match tx.query_opt(INBOUND, params![account, provider_id], |row| row.get(0))? {
        Some(id) => Ok(Some(id)),
        None => tx.query_opt(OUTBOUND, params![account, provider_id], |row| row.get(0)),
    }
}

/// Writes what is now known of a call: its facts, its text and its files. Its conversation shows it, where it is the newest.
///
/// # Errors
/// `not_found`; those of the database.
pub fn save(tx: &mut OrgTx<'_, '_>, call: &Message) -> Result<()> {
    const SAVE: &str = "UPDATE message SET body = $3, attachments = $4, call_facts = $5, updated_ms = $6 WHERE org_id = $1 AND id = $2";
    let json = |text: serde_json::Result<String>| text.map_err(Error::internal);
    let attachments = (!call.attachments.is_empty()).then(|| json(serde_json::to_string(&call.attachments))).transpose()?;
    let facts = call.call.as_ref().map(|facts| json(serde_json::to_string(facts))).transpose()?;
    let now_ms = tx.now_ms();
    if tx.execute(SAVE, params![call.id, &call.body, attachments, facts, now_ms])? == 0 {
        return Err(Error::not_found("message"));
    }
    tx.emit(Event::MessageUpdated { conversation_id: call.conversation_id, message_id: call.id });
    let before = conversation::get(tx, call.conversation_id)?;
    if message::list(tx, before.id, None, 1, 0)?.first().is_some_and(|newest| newest.id == call.id) {
        let preview = message::preview(call.direction, &call.body, &call.attachments, call.call.as_ref());
        conversation::save(tx, &before, &Conversation { preview, ..before.clone() })?;
    }
    Ok(())
}

/// A call of ours that ended before the provider placed it is over. What is no call, or rang, is left as it is.
///
/// # Errors
/// `not_found`; those of the database.
pub(crate) fn not_placed(tx: &mut OrgTx<'_, '_>, id: MessageId, end: DeliveryState) -> Result<()> {
    let status = match end {
        DeliveryState::Failed | DeliveryState::Expired => CallStatus::Failed,
        DeliveryState::Canceled => CallStatus::Canceled,
        _ => return Ok(()),
    };
    let mut message = message::get(tx, id)?;
    match message.call.take().filter(|call| call.status == CallStatus::Queued) {
        Some(call) => {
            message.call = Some(call.fold(Call::of(status)));
            save(tx, &message)
        }
        None => Ok(()),
    }
}
