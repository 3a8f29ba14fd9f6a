//! Signing in with a cookie, and out.

use std::sync::Arc;

use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Documented, StatusCode};
use aide::transform::TransformOperation;
use aide::{OperationInput, OperationOutput};
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use http::header::{HeaderValue, SET_COOKIE};
use http::request::Parts;
use parlance_app::App;
use parlance_model::error::Kind;
use parlance_model::place::Place;

use super::{golden, operation_on, wire};
use crate::auth::Allowed;
use crate::cookie;
use crate::json::Json as Body;
use crate::openapi;
use crate::permission::KnowSelf;
use crate::place;
use crate::problem::{Answer, Problem};
use crate::request_id::RequestId;
use wire::{Created, Credentials, Data, Done, SignedIn};

/// An answer that gives the browser the cookie, or takes it away.
#[derive(Debug)]
pub(super) struct WithCookie<T> {
    cookie: HeaderValue,
    answer: T,
}

impl<T: IntoResponse> IntoResponse for WithCookie<T> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        response.headers_mut().append(SET_COOKIE, self.cookie);
        response
    }
}

impl<T: OperationOutput> OperationOutput for WithCookie<T> {
    type Inner = T::Inner;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<StatusCode>, Documented)> {
        T::inferred_responses(ctx, operation)
    }
}

/// Where a request comes from, by which failed sign-ins are counted, and its id.
#[derive(Debug)]
pub(super) struct Whence((Place, Option<Arc<str>>));

impl FromRequestParts<App> for Whence {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        cookie::not_foreign(app, &parts.headers)?;
        let id = parts.extensions.get::<RequestId>().map(|RequestId(id)| Arc::clone(id));
        Ok(Self((place::of(&parts.extensions), id)))
    }
}

impl OperationInput for Whence {}

pub(super) async fn sign_in(
    State(app): State<App>,
    Whence(from): Whence,
    Body(body): Body<Credentials>,
) -> Answer<WithCookie<Created<SignedIn>>> {
    let (token, user, orgs) = app.sign_in(body.read(from)).await?;
    let signed_in = SignedIn { user: user.into(), orgs: orgs.into_iter().map(Into::into).collect() };
    Ok(WithCookie { cookie: cookie::set(&app, Some(&token))?, answer: Created(Json(Data { data: signed_in })) })
}

pub(super) fn sign_in_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::refuses(op.inner_mut(), &[Kind::TooLarge, Kind::Unavailable]);
    openapi::codes(
        op.inner_mut(),
        &["wrong_credentials", "user_disabled", "bad_origin", "org_disabled", "unknown_dialect", "too_many_failures"],
    );
    let summary = "Sign in: sets a cookie, for 30 days after its last use";
    let op = openapi::request_example(operation_on("directory", op, "signIn", summary), golden!("sign_in"));
    openapi::answer_example(op, &golden!("signed_in"))
}

pub(super) async fn sign_out(State(app): State<App>, caller: Allowed<KnowSelf>) -> Answer<WithCookie<Done>> {
    app.sign_out(&caller.who).await?;
    Ok(WithCookie { cookie: cookie::set(&app, None)?, answer: Done })
}

pub(super) fn sign_out_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["no_session"]);
    operation_on("directory", op, "signOut", "Sign out: the cookie's session ends at once")
}
