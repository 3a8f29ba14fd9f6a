//! JSON bodies: read into a type, or refused with the field that was wrong and what it should be.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{Operation, ReferenceOr};
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use parlance_model::error::Kind;
use parlance_model::{Error, Result};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::{Answer, Problem};
use crate::{body, openapi};

/// The body as a `T`. Fields that `T` does not have are ignored.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        if !is_json(request.headers()) {
            let text = "The body must be JSON, with `Content-Type: application/json`.";
            return Err(Error::new(Kind::UnsupportedMedia, "unsupported_media_type", text).into());
        }
        let bytes: Bytes = body::read(request.into_body()).await?;
        Ok(Self(parse(&bytes)?))
    }
}

impl<T: JsonSchema> OperationInput for Json<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        axum::Json::<T>::operation_input(ctx, operation);
        openapi::refuses(operation, &[Kind::Malformed, Kind::UnsupportedMedia, Kind::Invalid]);
    }
}

/// The body as a `T`, or what is meant when there is none: an empty body needs no `Content-Type`.
#[derive(Debug)]
pub(crate) struct Maybe<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for Maybe<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let bytes = body::read(body).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        let Json(value) = Json::from_request(Request::from_parts(parts, Body::from(bytes)), state).await?;
        Ok(Self(value))
    }
}

impl<T: JsonSchema> OperationInput for Maybe<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        Json::<T>::operation_input(ctx, operation);
        if let Some(ReferenceOr::Item(body)) = &mut operation.request_body {
            body.required = false;
        }
    }
}

/// `application/json` and `application/…+json`, with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.strip_prefix("application/").is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// Reads a JSON object.
///
/// # Errors
/// `malformed_json` for what is no JSON; `validation_failed` for what does not fit.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    read(bytes).map_err(|misfit| {
        // The first thing wrong may be a field, and the text no JSON further on.
        serde_json::from_slice::<Value>(bytes).map_or_else(malformed, |_| misfit)
    })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // serde would take an array for a struct, field by field.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Error::invalid("body", "Must be a JSON object."));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| misfit(&error.path().to_string(), &without_place(&error.inner().to_string())))?;
    reader.end().map_err(malformed)?;
    Ok(value)
}

fn malformed(error: serde_json::Error) -> Error {
    Error::new(Kind::Malformed, "malformed_json", format!("The body must be JSON: {error}."))
}

/// A message of serde without the place that serde_json adds.
fn without_place(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(text, _)| text).to_owned()
}

/// What serde says of a value that does not fit, as a field and a remedy.
pub(crate) fn misfit(path: &str, message: &str) -> Error {
    let at = |name: &str| if path == "." { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return Error::invalid(at(name), "Is required.");
    }
    if let Some(name) = message.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`')) {
        return Error::invalid(at(name), "Must be given once.");
    }
    let field = if path == "." { "body".to_owned() } else { path.to_owned() };
    match message.rsplit_once(", expected ") {
        Some((wrong, expected)) if wrong.starts_with("invalid ") => Error::invalid(field, format!("Must be {expected}.")),
        _ => Error::invalid(field, message.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Integer, Object, Text, Word};
    use parlance_model::channel::Channel;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Body {
        id: Option<Integer>,
        name: Option<Text<5>>,
        channel: Option<Word<Channel>>,
        meta: Option<Object<20>>,
        #[serde(rename = "message")]
        _message: String,
    }

    fn refused(body: &str) -> (Kind, String, String) {
        let error = parse::<Body>(body.as_bytes()).unwrap_err();
        let (field, message) = error.fields().first().map(|field| (field.name.to_string(), field.message.to_string())).unwrap_or_default();
        (error.kind(), field, message)
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for body in [
            "",
            "{",
            "{\"message\":",
            "[1,",
            "nul",
            "{\"message\":\"\\ud800\"}",
            "{\"message\":\"x\"} x",
            "{} {}",
            "{\"message\":5,}",
            "{\"message\":1e999}",
        ] {
            assert_eq!(refused(body).0, Kind::Malformed, "{body}");
        }
        assert_eq!(parse::<Body>(b"{\"message\":\"\xff\"}").unwrap_err().kind(), Kind::Malformed);
    }

    #[test]
    fn what_does_not_fit_names_the_field_and_the_remedy() {
        let whole = "Must be a whole number of 64 bits.";
        let words = "Must be one of: sms voice email web whatsapp telegram.";
        for (body, field, message) in [
            ("{}", "message", "Is required."),
            ("[]", "body", "Must be a JSON object."),
            ("null", "body", "Must be a JSON object."),
            (r#"{"message":5}"#, "message", "Must be a string."),
            (r#"{"message":null}"#, "message", "Must be a string."),
            (r#"{"message":"a","message":"b"}"#, "message", "Must be given once."),
            (r#"{"message":"a","id":"5"}"#, "id", whole),
            (r#"{"message":"a","id":9223372036854775808}"#, "id", whole),
            (r#"{"message":"a","id":1e30}"#, "id", whole),
            (r#"{"message":"a","id":1.5}"#, "id", whole),
            (r#"{"message":"a","channel":"fax, expected x"}"#, "channel", words),
            (r#"{"message":"a","channel":7}"#, "channel", words),
            (r#"{"message":"a","name":"abcdef"}"#, "name", "Must be a string of at most 5 characters."),
            (r#"{"message":"a","name":"a\u0000"}"#, "name", "Must be a string without the character NUL."),
            (r#"{"message":"a","meta":{"a":["\u0000"]}}"#, "meta", "Must be a JSON object without the character NUL in it."),
            (r#"{"message":"a","meta":{"\u0000":1}}"#, "meta", "Must be a JSON object without the character NUL in it."),
            (r#"{"message":"a","meta":[]}"#, "meta", "Must be a JSON object of at most 20 bytes."),
            (r#"{"message":"a","meta":{"a":"0123456789abcdef"}}"#, "meta", "Must be a JSON object of at most 20 bytes."),
        ] {
            assert_eq!(refused(body), (Kind::Invalid, field.to_owned(), message.to_owned()), "{body}");
        }
    }

    #[test]
    fn unknown_fields_are_ignored_and_whole_numbers_may_have_a_point() {
        let body: Body = parse(br#" {"message":"a","extra":{"x":[1]},"id":5.0,"name":"ab","channel":"sms","meta":{"a":1}}"#).unwrap();
        assert_eq!(body.id.unwrap().get(), 5);
        assert_eq!(body.name.unwrap().into_inner(), "ab");
        assert_eq!(body.channel.unwrap().0, Channel::Sms);
        assert_eq!(body.meta.unwrap().0.0.len(), 1);
    }
}
