//! Query parameters: read into a type, or refused with the parameter that was wrong and what it should be.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::extract::FromRequestParts;
use http::request::Parts;
use parlance_model::error::Kind;
use parlance_model::{Error, Result};
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::json::misfit;
use crate::openapi;
use crate::problem::{Answer, Problem};

/// The query as a `T`. Parameters that `T` does not have are ignored.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        Ok(Self(parse(parts.uri.query().unwrap_or_default())?))
    }
}

impl<T: JsonSchema> OperationInput for Query<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        axum::extract::Query::<T>::operation_input(ctx, operation);
        openapi::refuses(operation, &[Kind::Invalid]);
    }
}

/// Reads the part of a URL behind the `?`.
///
/// # Errors
/// `validation_failed`.
pub(crate) fn parse<T: DeserializeOwned>(query: &str) -> Result<T> {
    refuse_other_bytes(query)?;
    let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(reader).map_err(|error| misfit(&error.path().to_string(), &error.inner().to_string()))
}

/// The form's reader would put a replacement character in the place of bytes that are no UTF-8.
fn refuse_other_bytes(query: &str) -> Result<()> {
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if [name, value].into_iter().any(|text| percent_decode_str(text).decode_utf8().is_err()) {
            let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
            return Err(Error::invalid(name, "Must be UTF-8, percent-encoded."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::parse;
    use crate::value::Text;

    #[derive(Debug, Deserialize)]
    struct Search {
        search: Option<Text<5>>,
    }

    fn wrong(query: &str) -> String {
        let error = parse::<Search>(query).unwrap_err();
        format!("{}: {}", error.fields()[0].name, error.fields()[0].message)
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(wrong("search=%FF"), "search: Must be UTF-8, percent-encoded.");
        assert_eq!(wrong("a=b&x=%ED%A0%80"), "x: Must be UTF-8, percent-encoded.");
        assert_eq!(wrong("search=%00"), "search: Must be a string without the character NUL.");
        assert_eq!(wrong("search=a&search=b"), "search: Must be given once.");
        assert_eq!(parse::<Search>("search=%C3%A4%2B+b&y").unwrap().search.unwrap().into_inner(), "ä+ b");
    }
}
