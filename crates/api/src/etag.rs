//! Entity tags of lists (RFC 9110, 8.8.3): a client that has a page already is told so, and the list is not run.
//!
//! A tag is made of all that the answer depends on: the version of the org's lists, who asks and for what, the hour, what the
//! routes say of themselves, and what links are made with. It is weak, because the same page may be sent compressed or not. It is made before the page is read: a
//! change in between makes the page newer than its tag, which costs one more request and never hides anything.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{OpenApi, Operation, ReferenceOr, Response as Documented, StatusCode};
use axum::extract::{FromRequestParts, OriginalUri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use parlance_app::App;
use parlance_model::Error;
use parlance_model::key::Principal;
use sha2::{Digest as _, Sha256};

use crate::dialects;
use crate::problem::Problem;

/// Links to files in a list are made anew on the hour, and so are its tags.
const HOUR_MS: i64 = 60 * 60 * 1000;

/// What answers look like here: the hash of what the routes say of them, and of what their links are made with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form([u8; 32]);

impl Form {
    /// Of routes that describe themselves so, with links of this print.
    pub(crate) fn of(described: &[OpenApi], links: [u8; 32]) -> Self {
        // Descriptions are made of strings, numbers and maps with string keys, which always serialise.
        let text = serde_json::to_vec(described).unwrap_or_default();
        Self(Sha256::new_with_prefix(links).chain_update(text).finalize().into())
    }
}

/// The tag of a page that is about to be read. A handler that takes this is not run for a client that has the page.
#[derive(Debug)]
pub(crate) struct Tag(HeaderValue);

/// Why the handler is not run.
#[derive(Debug)]
pub(crate) enum Unrun {
    /// The client has the page.
    Unchanged(Tag),
    /// The version could not be read.
    Failed(Problem),
}

impl IntoResponse for Unrun {
    fn into_response(self) -> Response {
        match self {
            Self::Failed(problem) => problem.into_response(),
            Self::Unchanged(tag) => {
                let mut response = http::StatusCode::NOT_MODIFIED.into_response();
                tag.put(response.headers_mut());
                response
            }
        }
    }
}

impl FromRequestParts<App> for Tag {
    type Rejection = Unrun;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Unrun> {
        let failed = |error: Error| Unrun::Failed(error.into());
        let who = parts.extensions.get::<Principal>().ok_or_else(|| failed(Error::internal("a list without a caller")))?;
        let form = parts.extensions.get::<Form>().ok_or_else(|| failed(Error::internal("a list without a form")))?;
        let version = app.version(who).await.map_err(failed)?;
        let called = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let what = called.path_and_query().map_or("", |what| what.as_str());
        let dialect = parts.headers.get(dialects::HEADER).map_or(&b""[..], HeaderValue::as_bytes);
        let hour = app.now_ms() / HOUR_MS;
        let who = format!("{} {:?} {} {:?} {version} {hour}", who.org, who.user, who.role, who.dialect);
        let tag = Self(tag_of(&[&form.0, env!("CARGO_PKG_VERSION").as_bytes(), who.as_bytes(), dialect, what.as_bytes()]).map_err(failed)?);
        if is_known(&parts.headers, &tag.0) { Err(Unrun::Unchanged(tag)) } else { Ok(tag) }
    }
}

impl OperationInput for Tag {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        let responses = &mut operation.responses.get_or_insert_default().responses;
        let description = "Nothing has changed since the answer that `If-None-Match` names.".to_owned();
        responses.insert(StatusCode::Code(304), ReferenceOr::Item(Documented { description, ..Documented::default() }));
    }
}

impl Tag {
    /// Puts the tag into an answer, and says that it must be asked for again every time.
    pub(crate) fn put(self, headers: &mut HeaderMap) {
        headers.insert(ETAG, self.0);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.append(VARY, HeaderValue::from_static("authorization, cookie, x-org-id, parlance-dialect"));
    }
}

/// A weak tag of these parts, each behind its length.
fn tag_of(parts: &[&[u8]]) -> Result<HeaderValue, Error> {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    HeaderValue::try_from(format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&hasher.finalize()[..16]))).map_err(Error::internal)
}

/// Whether the client names the tag, strong or weak (RFC 9110, 13.1.2). `*` is taken for no tag: it asks whether there is
/// anything at all, which nobody asks of a list.
pub(crate) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let tag = tag.to_str().map(bare).unwrap_or_default();
    // Ours hold no comma, so that cutting another's in two makes no false match.
    let mut named = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    named.any(|named| bare(named) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_among_others_strong_or_weak() {
        let tag = tag_of(&[b"a", b"b"]).unwrap();
        let strong = tag.to_str().unwrap().trim_start_matches("W/").to_owned();
        let known = |values: &[&str]| {
            let pairs = values.iter().map(|value| (IF_NONE_MATCH, HeaderValue::from_str(value).unwrap()));
            is_known(&pairs.collect(), &tag)
        };
        assert!(known(&[tag.to_str().unwrap()]) && known(&[&strong]) && known(&["\"x\"", &format!("\"y\" , W/{strong}")]));
        assert!(!known(&[]) && !known(&["*"]) && !known(&["\"x\", W/\"y\""]) && !known(&[strong.trim_matches('"')]));
    }

    #[test]
    fn no_two_lists_of_parts_have_one_tag() {
        let tags = [tag_of(&[b"ab", b"c"]), tag_of(&[b"a", b"bc"]), tag_of(&[b"abc"]), tag_of(&[b"abc", b""])].map(Result::unwrap);
        assert_eq!(tags.iter().collect::<std::collections::HashSet<_>>().len(), 4);
    }
}
