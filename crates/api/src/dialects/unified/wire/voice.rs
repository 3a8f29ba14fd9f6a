//! What becomes of an account's phone calls, on the wire.

use parlance_app::account::{GREETING_LIMIT, LONGEST_RING_S, RING_LIMIT, RingChange, RingOwner, SHORTEST_RING_S, VoiceChanges};
use parlance_model::account;
use parlance_model::id::UserId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{Fields, Integer, Number, Text, not_null, present};

/// What becomes of phone calls.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccountVoice")]
pub(super) struct Voice {
    /// The phones that ring, one after the other, when somebody calls. After the last the caller may leave a message.
    ring: Vec<Ring>,
    /// How long each rings, in seconds.
    ring_seconds: i64,
    /// What a caller hears before the tone; null: a sentence of Parlance's own.
    greeting: Option<String>,
    /// Whether calls are recorded. Messages of callers always are.
    record: bool,
}

/// A phone that rings.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccountVoiceRing")]
struct Ring {
    /// Its number, in E.164 form.
    phone: String,
    /// Whose it is. Somebody who has left the staff or is disabled is not rung.
    user_id: Option<i64>,
}

impl From<account::Voice> for Voice {
    fn from(from: account::Voice) -> Self {
        let ring = |ring: account::Ring| Ring { phone: ring.phone.to_string(), user_id: ring.user_id.map(|user| user.0) };
        Self { ring: from.ring.into_iter().map(ring).collect(), ring_seconds: from.ring_s, greeting: from.greeting, record: from.record }
    }
}

/// What is to become of phone calls. Absent fields stay.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct ChangeVoice {
    /// The phones that ring, one after the other, when somebody calls: at most ten, each once. All that rang before are replaced.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Vec<ChangeRing>>", length(max = RING_LIMIT), transform = not_null)]
    ring: Option<Vec<Fields<ChangeRing>>>,
    /// How long each rings, in seconds.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Number<SHORTEST_RING_S, LONGEST_RING_S>>", transform = not_null)]
    ring_seconds: Option<Number<SHORTEST_RING_S, LONGEST_RING_S>>,
    /// What a caller hears before the tone; null: a sentence of Parlance's own.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<GREETING_LIMIT>>")]
    greeting: Option<Option<Text<GREETING_LIMIT>>>,
    /// Whether calls are recorded. Messages of callers always are.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<bool>", transform = not_null)]
    record: Option<bool>,
}

/// A phone that is to ring.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
struct ChangeRing {
    /// Its number; best in E.164 form.
    phone: Text<64>,
    /// Whose it is; of the staff.
    user_id: Option<Integer>,
}

impl From<ChangeVoice> for VoiceChanges {
    fn from(from: ChangeVoice) -> Self {
        let ring = |Fields(ring): Fields<ChangeRing>| RingChange {
            phone: ring.phone.into_inner(),
            owner: ring.user_id.map(|user| RingOwner::User(UserId(user.get()))),
        };
        Self {
            ring: from.ring.map(|rings| rings.into_iter().map(ring).collect()),
            ring_s: from.ring_seconds.map(Number::get),
            greeting: from.greeting.map(|words| words.map(Text::into_inner)),
            record: from.record,
        }
    }
}
