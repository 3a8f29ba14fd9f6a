//! Who calls, by key or by cookie: the layer that wants a key before anything else is looked at, and the extractor by which a handler names
//! the permission that it needs.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method};
use parlance_app::App;
use parlance_model::Error;
use parlance_model::error::Kind;
use parlance_model::id::OrgId;
use parlance_model::key::Principal;
use parlance_model::place::Place;

use crate::limit::{Limits, Standing};
use crate::permission::Permission;
use crate::problem::{Answer, Problem};
use crate::request_id::RequestId;
use crate::{cookie, openapi, place};

/// Where a person signs in, below the base path.
pub(crate) const SIGN_IN: &str = "/session";
/// Names the org of a request, for people who work in several.
const ORG: &str = "x-org-id";

/// What the layer needs: where callers are found, and how often they may call.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) app: App,
    pub(crate) limits: Arc<Limits>,
}

/// The layer: finds the caller, or refuses, and counts the request. Only signing in needs no caller.
pub(crate) async fn authenticate(State(gate): State<Gate>, mut request: Request, next: Next) -> Answer<Response> {
    if *request.method() == Method::POST && request.uri().path() == SIGN_IN {
        return Ok(next.run(request).await);
    }
    let principal = gate.identify(place::of(request.extensions()), request.method(), request.headers()).await?;
    let span = tracing::Span::current();
    span.record("org", principal.org.0);
    span.record("caller", tracing::field::debug(principal.credential));
    // Before anything is read or written for it: a repetition with an Idempotency-Key counts like any other request.
    let standing = gate.limits.take(principal.credential);
    if let Some(refusal) = standing.and_then(Standing::refusal) {
        return Ok(refusal);
    }
    let request_id = request.extensions().get::<RequestId>().map(|RequestId(id)| Arc::clone(id));
    request.extensions_mut().insert(Principal { request_id, ..principal });
    let mut response = next.run(request).await;
    if let Some(standing) = standing {
        standing.tell(&mut response);
    }
    Ok(response)
}

impl Gate {
    async fn identify(&self, from: Place, method: &Method, headers: &HeaderMap) -> Answer<Principal> {
        let named = named_org(headers)?;
        if headers.contains_key(AUTHORIZATION) {
            let token = bearer(headers).ok_or_else(unauthenticated)?;
            let principal = self.judged(from, self.app.authenticate(token).await)?;
            if named.is_some_and(|named| named != principal.org) {
                return Err(Error::new(Kind::Forbidden, "not_in_org", "This key opens another organisation than X-Org-Id names.").into());
            }
            return Ok(principal);
        }
        let token = cookie::token(headers).ok_or_else(unauthenticated)?;
        let principal = self.judged(from, self.app.authenticate_session(token, named).await)?;
        if !method.is_safe() {
            cookie::same_origin(&self.app, headers)?;
        }
        Ok(principal)
    }

    /// Counts what was wrong. A database that is away, and a person who was switched off, say nothing of the key.
    fn judged(&self, from: Place, found: Result<Principal, Error>) -> Answer<Principal> {
        match &found {
            Err(error) if error.code() == "unauthenticated" => self.limits.wrong(from)?,
            _ => {}
        }
        Ok(found?)
    }
}

pub(crate) fn named_org(headers: &HeaderMap) -> Result<Option<OrgId>, Error> {
    let Some(given) = headers.get(ORG) else { return Ok(None) };
    let id = given.to_str().ok().and_then(|given| given.parse().ok());
    let wrong = || Error::new(Kind::Malformed, "bad_header", "`X-Org-Id` must be the id of an organisation, as GET /api/v1/me shows it.");
    id.map(|id| Some(OrgId(id))).ok_or_else(wrong)
}

/// The token of `Authorization: Bearer …` (RFC 6750); the scheme's case does not count (RFC 9110, 11.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn unauthenticated() -> Error {
    let text = "This needs a key, as `Authorization: Bearer <token>`. `parlance key create` makes one.";
    Error::new(Kind::Unauthenticated, "unauthenticated", text)
}

/// A caller who may do what `P` says. A handler that takes this cannot be reached by anybody else.
#[derive(Debug)]
pub(crate) struct Allowed<P> {
    /// The caller.
    pub(crate) who: Principal,
    permission: PhantomData<P>,
}

impl<P: Permission, S: Sync> FromRequestParts<S> for Allowed<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let who = parts.extensions.get::<Principal>().cloned().ok_or_else(unauthenticated)?;
        if !P::ROLES.contains(&who.role) {
            let text = format!("Your role ({}) lacks the permission {}. Ask an admin of your organisation.", who.role, P::NAME);
            return Err(Error::new(Kind::Forbidden, "forbidden", text).into());
        }
        if let Some(scope) = P::SCOPE.filter(|scope| !who.scopes.has(*scope)) {
            let text = format!("Your key lacks the scope {scope}, which {} needs. Use a key that has it.", P::NAME);
            return Err(Error::new(Kind::Forbidden, "forbidden", text).into());
        }
        Ok(Self { who, permission: PhantomData })
    }
}

impl<P: Permission> OperationInput for Allowed<P> {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        openapi::require_key(operation, P::NAME, P::SCOPE);
        if P::is_restricted() {
            openapi::refuses(operation, &[Kind::Forbidden]);
        }
    }
}

/// The caller, where no permission is needed beyond having a key: for layers.
pub(crate) struct Caller(pub(crate) Option<Principal>);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get().cloned()))
    }
}
