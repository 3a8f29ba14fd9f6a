//! Values of the wire with their limits: a field of one of these types has been checked, and its schema says the same as
//! the check. What does not fit is refused with `expecting`, which becomes the remedy that the caller reads.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use parlance_model::account::HealthState;
use parlance_model::audit::{Action, ActorKind, SubjectKind};
use parlance_model::call::CallStatus;
use parlance_model::channel::{Channel, JsonObject, Provider};
use parlance_model::contact::IdentityKind;
use parlance_model::conversation::{State, Status};
use parlance_model::delivery::{DeliveryState, DeliveryStatus};
use parlance_model::key::{Dialect, Scope};
use parlance_model::message::{Direction, Kind, SenderKind};
use parlance_model::opt_out::OptSource;
use parlance_model::org::SmsProvider;
use parlance_model::role::Role;
use parlance_model::segments::Encoding;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A JSON number that is a whole number of 64 bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Integer(i64);

impl Integer {
    pub(crate) const fn get(self) -> i64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = i64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of 64 bits")
            }

            fn visit_i64<E>(self, value: i64) -> Result<i64, E> {
                Ok(value)
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<i64, E> {
                i64::try_from(value).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
            }

            #[expect(clippy::cast_possible_truncation, reason = "the number is whole and below 2^53")]
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<i64, E> {
                // To JSON Schema 5.0 is an integer.
                let exact = value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0;
                if exact { Ok(value as i64) } else { Err(E::invalid_value(Unexpected::Float(value), &self)) }
            }
        }
        from.deserialize_i64(Whole).map(Self)
    }
}

/// A JSON number that is a whole number within these bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Number<MIN, MAX> {
    pub(crate) const fn get(self) -> i64 {
        self.0
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Number<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Integer::deserialize(from)?.get();
        if (MIN..=MAX).contains(&given) {
            return Ok(Self(given));
        }
        Err(D::Error::invalid_value(Unexpected::Signed(given), &format!("a whole number from {MIN} to {MAX}").as_str()))
    }
}

impl<const MIN: i64, const MAX: i64> JsonSchema for Number<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Number_{MIN}_{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "int64", "minimum": MIN, "maximum": MAX })
    }
}

impl JsonSchema for Integer {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Integer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX })
    }
}

/// A whole number in a query, within these bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within<const MIN: i64, const MAX: i64>(i64);

/// A whole number in a query.
pub(crate) type Whole = Within<{ i64::MIN }, { i64::MAX }>;

impl<const MIN: i64, const MAX: i64> Within<MIN, MAX> {
    pub(crate) const fn get(self) -> i64 {
        self.0
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Within<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Cow::<'de, str>::deserialize(from)?;
        let number = given.parse().ok().filter(|number| (MIN..=MAX).contains(number));
        number.map(Self).ok_or_else(|| {
            let expected = match (MIN, MAX) {
                (i64::MIN, i64::MAX) => "a whole number of 64 bits".to_owned(),
                (_, i64::MAX) => format!("a whole number, {MIN} or more"),
                _ => format!("a whole number from {MIN} to {MAX}"),
            };
            D::Error::invalid_value(Unexpected::Str(&given), &expected.as_str())
        })
    }
}

impl<const MIN: i64, const MAX: i64> JsonSchema for Within<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Within_{MIN}_{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "int64", "minimum": MIN, "maximum": MAX })
    }
}

/// A string of at most so many characters, without NUL.
#[derive(Debug, Clone)]
pub(crate) struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    pub(crate) fn into_inner(self) -> String {
        self.0
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = without_nul(from)?;
        if given.chars().count() > MAX {
            let expected = format!("a string of at most {MAX} characters");
            return Err(D::Error::invalid_value(Unexpected::Other("long string"), &expected.as_str()));
        }
        Ok(Self(given))
    }
}

/// The pattern of a string without NUL, which PostgreSQL cannot keep.
const NO_NUL: &str = r"^[^\u0000]*$";

/// A string without NUL.
pub(crate) fn without_nul<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let given = String::deserialize(from)?;
    if given.contains('\0') {
        return Err(D::Error::invalid_value(Unexpected::Other("NUL"), &"a string without the character NUL"));
    }
    Ok(given)
}

impl<const MAX: usize> JsonSchema for Text<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Text_{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": MAX, "pattern": NO_NUL })
    }
}

/// A JSON object of at most so many bytes, as it is stored, without NUL in any of its texts.
#[derive(Debug, Clone)]
pub(crate) struct Object<const MAX: usize>(pub(crate) JsonObject);

impl<'de, const MAX: usize> Deserialize<'de> for Object<MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(from)?;
        let fits = serde_json::to_vec(&given).is_ok_and(|bytes| bytes.len() <= MAX);
        match given {
            Value::Object(_) if has_nul(&given) => {
                Err(D::Error::invalid_value(Unexpected::Other("NUL"), &"a JSON object without the character NUL in it"))
            }
            Value::Object(object) if fits => Ok(Self(JsonObject(object))),
            _ => {
                let expected = format!("a JSON object of at most {MAX} bytes");
                Err(D::Error::invalid_value(Unexpected::Other("value"), &expected.as_str()))
            }
        }
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(object) => object.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        _ => false,
    }
}

impl<const MAX: usize> JsonSchema for Object<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Object_{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": true })
    }
}

/// A JSON object with these fields. A list of their values, which serde alone would take for it, is refused.
#[derive(Debug)]
pub(crate) struct Fields<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fields<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        from.deserialize_map(Object(PhantomData)).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for Fields<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A closed set of words of the model.
pub(crate) trait Vocabulary: Copy + Send + Sync + 'static {
    /// Its name among the schemas.
    const NAME: &'static str;
    /// Every value.
    const VALUES: &'static [Self];

    /// The text form.
    fn text(self) -> &'static str;
}

macro_rules! vocabulary {
    ($($name:ident),+) => {$(
        impl Vocabulary for $name {
            const NAME: &'static str = stringify!($name);
            const VALUES: &'static [Self] = Self::ALL;

            fn text(self) -> &'static str {
                self.as_str()
            }
        }
    )+};
}

vocabulary!(
    Action,
    ActorKind,
    CallStatus,
    Channel,
    DeliveryState,
    DeliveryStatus,
    Dialect,
    Direction,
    Encoding,
    HealthState,
    IdentityKind,
    Kind,
    OptSource,
    Provider,
    Role,
    Scope,
    SenderKind,
    SmsProvider,
    State,
    Status,
    SubjectKind
);

/// One word of a closed set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word<T>(pub(crate) T);

impl<T: Vocabulary> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.text())
    }
}

impl<'de, T: Vocabulary> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOf<T>(PhantomData<T>);
        impl<T: Vocabulary> Visitor<'_> for OneOf<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one of:")?;
                T::VALUES.iter().try_for_each(|value| write!(f, " {}", value.text()))
            }

            fn visit_str<E: serde::de::Error>(self, given: &str) -> Result<T, E> {
                let found = T::VALUES.iter().copied().find(|value| value.text() == given);
                found.ok_or_else(|| E::invalid_value(Unexpected::Other("word"), &self))
            }
        }
        from.deserialize_str(OneOf(PhantomData)).map(Self)
    }
}

impl<T: Vocabulary> JsonSchema for Word<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = T::VALUES.iter().map(|value| value.text()).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

/// For fields that may be absent and must not be null, or whose null means something: `Some` of what stands there.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// In schemas: the field may be left out, and null is not taken for leaving it out.
pub(crate) fn not_null(schema: &mut Schema) {
    schema.remove("default");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
}
