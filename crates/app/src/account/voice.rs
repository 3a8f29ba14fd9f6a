//! What becomes of an account's phone calls: what a change of that sets, and what may be set.

use parlance_model::account::{Ring, TwilioSettings, Voice};
use parlance_model::audit::Act;
use parlance_model::error::Kind;
use parlance_model::id::UserId;
use parlance_model::phone::Region;
use parlance_model::{Error, Result, text};
use parlance_store::{OrgTx, staff};
use serde_json::{Value, json};

use crate::directory::{TwilioFields, checked_number};

/// The most phones that ring in turn.
pub const RING_LIMIT: usize = 10;
/// The shortest time that a phone rings, in seconds.
pub const SHORTEST_RING_S: i64 = 5;
/// The longest time that a phone rings, in seconds.
pub const LONGEST_RING_S: i64 = 120;
/// The most characters of a greeting.
pub const GREETING_LIMIT: usize = 500;

/// What a change of an account's calls sets. `None` leaves a field alone.
#[derive(Debug, Clone, Default)]
pub struct VoiceChanges {
    /// The phones that ring, in this order: at most [`RING_LIMIT`], each once.
    pub ring: Option<Vec<RingChange>>,
    /// How long each rings, in seconds: [`SHORTEST_RING_S`] to [`LONGEST_RING_S`].
    pub ring_s: Option<i64>,
    /// What a caller hears before the tone: at most [`GREETING_LIMIT`] characters. `Some(None)`, or nothing but white space: a sentence of our own.
    pub greeting: Option<Option<String>>,
    /// Whether calls are recorded.
    pub record: Option<bool>,
}

/// A phone that is to ring.
#[derive(Debug, Clone)]
pub struct RingChange {
    /// Its number, in any written form.
    pub phone: String,
    /// Whose it is, where it is somebody's.
    pub owner: Option<RingOwner>,
}

/// Somebody of the staff.
#[derive(Debug, Clone)]
pub enum RingOwner {
    /// By their id.
    User(UserId),
    /// By their e-mail address.
    Email(String),
}

/// What these settings are with the changes in them; what is wrong is named as in `fields`.
///
/// # Errors
/// `validation_failed`; those of the database.
pub(crate) fn changed(
    tx: &mut OrgTx<'_, '_>,
    before: &TwilioSettings,
    region: Region,
    changes: &VoiceChanges,
    fields: &TwilioFields,
) -> Result<Voice> {
    let mut voice = before.voice.clone();
    if let Some(ring) = &changes.ring {
        voice.ring = rings(tx, before, region, ring, fields.ring)?;
    }
    if let Some(seconds) = changes.ring_s {
        if !(SHORTEST_RING_S..=LONGEST_RING_S).contains(&seconds) {
            return Err(Error::invalid(fields.ring_s, format!("Must be {SHORTEST_RING_S} to {LONGEST_RING_S} seconds.")));
        }
        voice.ring_s = seconds;
    }
    if let Some(greeting) = &changes.greeting {
        let words = greeting.as_deref().map(|words| text::clean(words.trim())).filter(|words| !words.is_empty());
        if words.as_ref().is_some_and(|words| words.chars().count() > GREETING_LIMIT) {
            return Err(Error::invalid(fields.greeting, format!("Must be at most {GREETING_LIMIT} characters.")));
        }
        voice.greeting = words;
    }
    voice.record = changes.record.unwrap_or(voice.record);
    Ok(voice)
}

fn rings(tx: &mut OrgTx<'_, '_>, of: &TwilioSettings, region: Region, given: &[RingChange], field: &'static str) -> Result<Vec<Ring>> {
    if given.len() > RING_LIMIT {
        return Err(Error::invalid(field, format!("Must be at most {RING_LIMIT} phones.")));
    }
    let mut rings: Vec<Ring> = Vec::new();
    for (index, RingChange { phone, owner }) in given.iter().enumerate() {
        let named = format!("{field}[{index}].phone");
        let phone = checked_number(named.clone(), phone, region)?;
        if phone == of.phone_number {
            return Err(Error::invalid(named, "Must not be the account's own number: the call would come back."));
        }
        if phone.is_premium() {
            return Err(Error::invalid(named, "Must not be a number that costs by the minute."));
        }
        if rings.iter().any(|ring| ring.phone == phone) {
            return Err(Error::invalid(named, "Must be given once."));
        }
        let user_id = owner.as_ref().map(|owner| owner_of(tx, owner, || format!("{field}[{index}].user_id"))).transpose()?;
        rings.push(Ring { phone, user_id });
    }
    Ok(rings)
}

fn owner_of(tx: &mut OrgTx<'_, '_>, owner: &RingOwner, named: impl Fn() -> String) -> Result<UserId> {
    let found = match owner {
        RingOwner::User(user) => staff::find(tx, *user)?,
        RingOwner::Email(email) => match staff::by_email(tx, email) {
            Err(error) if error.kind() == Kind::NotFound => None,
            found => Some(found?),
        },
    };
    found.map(|found| found.user.id).ok_or_else(|| Error::invalid(named(), "Must be somebody of the staff."))
}

/// Adds the fields that differ to what is done.
pub(crate) fn audited(act: Act, was: &Voice, is: &Voice) -> Act {
    let ring = |voice: &Voice| -> Value {
        voice.ring.iter().map(|ring| json!({ "phone": ring.phone.as_str(), "user_id": ring.user_id.map(|user| user.0) })).collect()
    };
    act.changed("voice.ring", ring(was), ring(is))
        .changed("voice.ring_seconds", was.ring_s, is.ring_s)
        .changed("voice.greeting", was.greeting.as_deref(), is.greeting.as_deref())
        .changed("voice.record", was.record, is.record)
}
