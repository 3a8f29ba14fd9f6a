//! Query parameters: read into a type, or refused with the parameter that was wrong and what it should be.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::extract::FromRequestParts;
use http::request::Parts;
use parlance_model::Result;
use parlance_model::error::Kind;
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
    let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(reader).map_err(|error| misfit(&error.path().to_string(), &error.inner().to_string()))
}
