//! Fetching a file by its link. No key is needed: the link's signature is the key, and what it opens is decided by `app`.
//!
//! Files come from strangers, so a browser is told to take the type that we found and no other, to run nothing, and to show in place
//! only what cannot carry a script.

use std::ops::Range;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::openapi::{MediaType, ReferenceOr, Response as Documented, SchemaObject, StatusCode as DocumentedStatus};
use aide::transform::TransformOperation;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use headers::{ETag, HeaderMapExt as _, IfNoneMatch, IfRange};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use parlance_app::App;
use parlance_app::media::{Opened, Target};
use parlance_model::error::Kind;
use parlance_model::id::{MediaId, OrgId};
use parlance_model::media::Variant;
use parlance_model::{Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::{JsonSchema, json_schema};
use serde::Deserialize;

use crate::openapi;
use crate::problem::{Answer, Problem};

/// What RFC 8187 lets stand for itself in an extended value.
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'!').remove(b'$').remove(b'+');

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new().api_route("/media/{org}/{media}/{variant}", get_with(fetch, document))
}

/// What a link leads to. Texts, because whatever is no link of ours is simply not found.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
struct Place {
    /// The organisation's id.
    #[schemars(extend("examples" = ["1"]))]
    org: String,
    /// The file's id.
    #[schemars(extend("examples" = ["31"]))]
    media: String,
    /// `file`, or `thumbnail` for a small image of it.
    #[schemars(extend("examples" = ["file"]))]
    variant: String,
}

/// What makes it a link.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
struct Seal {
    /// When it ends, in seconds since 1970.
    #[serde(default)]
    #[schemars(required, extend("examples" = ["1772766000"]))]
    expires: String,
    /// Who made it: we, and nobody else.
    #[serde(default)]
    #[schemars(required, extend("examples" = ["3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]))]
    signature: String,
}

/// Serves `HEAD` too: axum sends its body nowhere, so none is opened.
async fn fetch(
    State(app): State<App>,
    method: Method,
    headers: HeaderMap,
    place: Result<Path<Place>, axum::extract::rejection::PathRejection>,
    seal: Result<Query<Seal>, axum::extract::rejection::QueryRejection>,
) -> Answer<Response> {
    let wrong = || Error::not_found("file");
    let (Path(place), Query(seal)) = (place.map_err(|_| wrong())?, seal.map_err(|_| wrong())?);
    let target = Target {
        org: OrgId(place.org.parse().map_err(|_| wrong())?),
        media: MediaId(place.media.parse().map_err(|_| wrong())?),
        variant: place.variant.parse::<Variant>().map_err(|_| wrong())?,
    };
    let opened = app.open_link(target, seal.expires.parse().map_err(|_| wrong())?, &seal.signature).await?;
    let described = description(&opened)?;
    let etag: ETag = opened.etag.parse().map_err(|_| Error::internal("an ETag of ours is none"))?;
    if headers.typed_get::<IfNoneMatch>().is_some_and(|condition| !condition.precondition_passes(&etag)) {
        let kept: HeaderMap =
            [ETAG, CACHE_CONTROL].into_iter().filter_map(|name| Some((name.clone(), described.get(name)?.clone()))).collect();
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    let part = if method == Method::GET { asked_for(&headers, &etag, opened.size) } else { Part::Whole };
    let (status, range) = match part {
        Part::Whole => (StatusCode::OK, 0..opened.size),
        Part::Of(range) => (StatusCode::PARTIAL_CONTENT, range),
        Part::Outside => {
            let error = Error::new(Kind::OutOfRange, "no_such_range", "The file has no such range. Content-Range says how long it is.");
            return Ok(([(CONTENT_RANGE, format!("bytes */{}", opened.size))], Problem::from(error)).into_response());
        }
    };
    let length = (range.end - range.start).to_string();
    let place = (status == StatusCode::PARTIAL_CONTENT).then(|| format!("bytes {}-{}/{}", range.start, range.end - 1, opened.size));
    let body = if method == Method::HEAD { Body::empty() } else { Body::from_stream(app.content(&opened, range).await?) };
    let mut response = (status, described, body).into_response();
    response.headers_mut().insert(CONTENT_LENGTH, value(length)?);
    if let Some(place) = place {
        response.headers_mut().insert(CONTENT_RANGE, value(place)?);
    }
    Ok(response)
}

/// The headers that say what a file is and how to treat it.
fn description(opened: &Opened) -> Result<HeaderMap> {
    let lasts_s = opened.lasts_ms / 1000;
    Ok(HeaderMap::from_iter([
        (CONTENT_TYPE, value(opened.content_type.clone())?),
        (CONTENT_DISPOSITION, value(disposition(opened.inline, &opened.name))?),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'")),
        (CACHE_CONTROL, value(format!("private, max-age={lasts_s}, immutable"))?),
        (ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (ETAG, value(opened.etag.clone())?),
    ]))
}

fn value(text: String) -> Result<HeaderValue> {
    HeaderValue::try_from(text).map_err(Error::internal)
}

/// `Content-Disposition` (RFC 6266): a plain name for old clients, and the whole name as RFC 8187 writes it.
fn disposition(inline: bool, name: &str) -> String {
    let kind = if inline { "inline" } else { "attachment" };
    let plain: String = name.chars().map(|c| if c.is_ascii_graphic() && !"\"\\%".contains(c) || c == ' ' { c } else { '_' }).collect();
    if plain == name {
        return format!("{kind}; filename=\"{plain}\"");
    }
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, ATTR_CHAR))
}

/// Which part of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Of(Range<u64>),
    /// None that the file has.
    Outside,
}

/// Reads `Range` and `If-Range` (RFC 9110, 14). Several ranges at once are answered with the whole, as is what is no range.
pub(crate) fn asked_for(headers: &HeaderMap, etag: &ETag, size: u64) -> Part {
    let Some(given) = headers.get(RANGE).and_then(|given| given.to_str().ok()) else { return Part::Whole };
    if headers.typed_get::<IfRange>().is_some_and(|condition| condition.is_modified(Some(etag), None)) {
        return Part::Whole;
    }
    let Ok(parsed) = http_range_header::parse_range_header(given) else { return Part::Whole };
    match parsed.validate(size).as_deref() {
        Ok([range]) => Part::Of(*range.start()..*range.end() + 1),
        Ok(_) => Part::Whole,
        Err(_) => Part::Outside,
    }
}

fn document(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    let operation = op.inner_mut();
    openapi::refuses(operation, &[Kind::Forbidden, Kind::NotFound, Kind::Unavailable]);
    openapi::codes(operation, &["link_expired", "no_such_range", "org_disabled"]);
    let bytes = |description: &str| {
        let schema =
            SchemaObject { json_schema: json_schema!({ "type": "string", "format": "binary" }), example: None, external_docs: None };
        let media = MediaType { schema: Some(schema), example: Some("(the bytes of the file)".into()), ..MediaType::default() };
        let content = [("*/*".to_owned(), media)].into_iter().collect();
        ReferenceOr::Item(Documented { description: description.to_owned(), content, ..Documented::default() })
    };
    let bare = |description: &str| ReferenceOr::Item(Documented { description: description.to_owned(), ..Documented::default() });
    let responses = &mut operation.responses.get_or_insert_default().responses;
    responses.insert(DocumentedStatus::Code(200), bytes("The file, of the type that was found by its content."));
    responses.insert(DocumentedStatus::Code(206), bytes("The part of it that `Range` asked for."));
    responses.insert(DocumentedStatus::Code(304), bare("`If-None-Match` names what it still is."));
    op.id("fetchMedia").summary("Fetch a file by its link").tag("media").description(
        "Links come with messages and files. The signature is the key: whoever has the link may fetch the file until it ends (410). \
         `HEAD`, `Range`, `If-Range` and `If-None-Match` are understood. Images, audio and video are shown in place, everything else is \
         downloaded.",
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn names_survive_in_both_forms() {
        assert_eq!(disposition(true, "a b.png"), "inline; filename=\"a b.png\"");
        assert_eq!(disposition(false, "Grüße.pdf"), "attachment; filename=\"Gr__e.pdf\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.pdf");
        assert_eq!(disposition(false, "a\"b\\c%.txt"), "attachment; filename=\"a_b_c_.txt\"; filename*=UTF-8''a%22b%5Cc%25.txt");
        assert_eq!(
            disposition(false, "x\r\nSet-Cookie: y"),
            "attachment; filename=\"x__Set-Cookie: y\"; filename*=UTF-8''x%0D%0ASet-Cookie%3A%20y"
        );
    }

    #[test]
    fn one_range_is_served_and_others_are_not() {
        let etag: ETag = "\"abc\"".parse().unwrap();
        let of = |pairs: &[(HeaderName, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
            asked_for(&headers, &etag, 10)
        };
        let range = |value| of(&[(RANGE, value)]);
        assert_eq!(of(&[]), Part::Whole);
        assert_eq!(range("bytes=0-3"), Part::Of(0..4));
        assert_eq!(range("bytes=4-"), Part::Of(4..10));
        assert_eq!(range("bytes=-3"), Part::Of(7..10));
        assert_eq!(range("bytes=5-100"), Part::Of(5..10));
        assert_eq!(range("bytes=10-"), Part::Outside);
        assert_eq!(range("bytes=0-1,4-5"), Part::Whole);
        for none in ["bytes=x", "lines=1-2", "bytes", ""] {
            assert_eq!(range(none), Part::Whole, "{none}");
        }
        let if_range = http::header::IF_RANGE;
        assert_eq!(of(&[(RANGE, "bytes=0-3"), (if_range.clone(), "\"abc\"")]), Part::Of(0..4));
        assert_eq!(of(&[(RANGE, "bytes=0-3"), (if_range, "\"old\"")]), Part::Whole);
    }
}
