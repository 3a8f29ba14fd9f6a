//! Times in bodies: RFC 3339 with any offset, as every other time of the API is written in UTC.

use std::borrow::Cow;

use parlance_model::clock::from_iso8601;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer};

/// A point in time, unix ms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) i64);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = String::deserialize(from)?;
        let expected = "a time of RFC 3339, such as 2026-03-05T20:00:00Z";
        from_iso8601(&given).map(Self).ok_or_else(|| D::Error::invalid_value(Unexpected::Other("text"), &expected))
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "examples": ["2026-03-05T20:00:00Z"] })
    }
}
