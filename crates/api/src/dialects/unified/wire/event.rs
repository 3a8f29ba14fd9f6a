//! The event log on the wire: an entry's own fields stand beside `seq`, `kind` and `at`.

use axum::Json;
use parlance_app::event::Entry;
use parlance_model::clock::iso8601;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// Something that happened. Which further fields there are depends on `kind`; new kinds and fields may be added.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(extend("additionalProperties" = true))]
pub(crate) struct Event {
    /// Its place in the organisation's log: without gaps, from 1.
    seq: i64,
    /// What happened, such as `message.created`.
    kind: String,
    /// When.
    at: String,
    #[serde(flatten)]
    #[schemars(skip)]
    fields: Map<String, Value>,
}

impl From<Entry> for Event {
    fn from(entry: Entry) -> Self {
        // Events are structs of strings and numbers, which always serialise to objects.
        let mut fields = match serde_json::to_value(&entry.event) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        fields.shift_remove("kind");
        Self { seq: entry.seq, kind: entry.event.kind().to_owned(), at: iso8601(entry.at_ms), fields }
    }
}

/// Events, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Events {
    /// The events.
    data: Vec<Event>,
    /// Where the log ends.
    meta: EventsMeta,
}

/// Where the log ends.
#[derive(Debug, Serialize, JsonSchema)]
struct EventsMeta {
    /// The newest event of the organisation; the answer is complete when its last `seq` is this.
    last_seq: i64,
}

impl Events {
    pub(crate) fn of((entries, last_seq): (Vec<Entry>, i64)) -> Json<Self> {
        Json(Self { data: entries.into_iter().map(Into::into).collect(), meta: EventsMeta { last_seq } })
    }
}
