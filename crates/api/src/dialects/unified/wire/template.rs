//! Templates of WhatsApp on the wire.

use std::borrow::Cow;
use std::collections::BTreeMap;

use parlance_model::outbound;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer};

/// The most places of a template.
const VARIABLES: usize = 100;
/// The most characters of a place's name.
const NAME: usize = 64;
/// The most characters of what goes into a place.
const VALUE: usize = 1024;

/// A template of WhatsApp, approved by it and kept at the provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Template {
    /// The provider's id of it: `HX` and 32 hexadecimal digits.
    id: ContentSid,
    /// What goes into its places, by their names: `{"1": "Ann", "2": "3 pm"}`.
    variables: Option<Variables>,
}

impl Template {
    /// What the use case takes.
    pub(super) fn read(self) -> outbound::Template {
        outbound::Template { id: self.id.0, variables: self.variables.map(|variables| variables.0).unwrap_or_default() }
    }
}

/// Twilio's id of a content template (`^HX[0-9a-fA-F]{32}$` in its OpenAPI).
#[derive(Debug)]
struct ContentSid(String);

impl<'de> Deserialize<'de> for ContentSid {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = String::deserialize(from)?;
        let digits = given.strip_prefix("HX").filter(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits {
            Some(_) => Ok(Self(given)),
            None => Err(D::Error::invalid_value(Unexpected::Other("string"), &"HX followed by 32 hexadecimal digits")),
        }
    }
}

impl JsonSchema for ContentSid {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ContentSid".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^HX[0-9a-fA-F]{32}$" })
    }
}

/// Texts by the names of their places.
#[derive(Debug)]
struct Variables(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = BTreeMap::<String, String>::deserialize(from)?;
        let fits = |(name, value): (&String, &String)| {
            let named = (1..=NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            named && value.chars().count() <= VALUE && !value.contains('\0')
        };
        if given.len() <= VARIABLES && given.iter().all(fits) {
            return Ok(Self(given));
        }
        let expected = format!(
            "at most {VARIABLES} texts of at most {VALUE} characters without NUL, under names of letters, digits and underscores of at most {NAME} characters"
        );
        Err(D::Error::invalid_value(Unexpected::Map, &expected.as_str()))
    }
}

impl JsonSchema for Variables {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TemplateVariables".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "maxProperties": VARIABLES,
            "propertyNames": { "pattern": format!("^[A-Za-z0-9_]{{1,{NAME}}}$") },
            "additionalProperties": { "type": "string", "maxLength": VALUE, "pattern": r"^[^\u0000]*$" },
        })
    }
}
