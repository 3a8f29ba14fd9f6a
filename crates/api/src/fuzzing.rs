//! Fuzz targets of what a stranger's request says: cursors, headers, queries, JSON bodies, and the form of an upload.

use std::str::FromStr as _;

use bytes::Bytes;
use futures::stream;
use headers::ETag;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use parlance_model::Result;
use serde::de::DeserializeOwned;

use crate::cursor::{self, List};
use crate::dialects::unified::wire;
use crate::media::{Part, asked_for};
use crate::{auth, cookie, etag, idempotency, json, prefer, query, request_id, upload};

/// The token of a place in a list.
pub fn cursor(data: &[u8]) {
    let token = String::from_utf8_lossy(data);
    for list in [List::Conversations, List::Messages, List::Contacts, List::OptOuts, List::Search, List::Audit] {
        if let Ok(place) = cursor::read(list, &token) {
            assert_eq!(cursor::write(list, place), token);
        }
    }
}

/// A block of headers, one in a line: `Idempotency-Key`, `Prefer`, `Cookie`, `Authorization`, `Range` and all others that are read.
pub fn headers(data: &[u8]) {
    let headers = read_headers(data);
    if let Ok(Some(key)) = idempotency::key_of(&Method::POST, &headers) {
        assert!((1..=idempotency::LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
    }
    let _ = (prefer::prefers_async(&headers), auth::named_org(&headers));
    assert!(cookie::token(&headers).is_none_or(|token| !token.is_empty() && !token.contains(';')));
    assert!(auth::bearer(&headers).is_none_or(|token| !token.is_empty() && token.trim() == token));
    assert!(request_id::given(&headers).is_none_or(|id| (1..=64).contains(&id.len())));
    etag::is_known(&headers, &HeaderValue::from_static("W/\"AAAAAAAAAAAAAAAAAAAAAA\""));
    if let Ok(tag) = ETag::from_str("\"a\"")
        && let Part::Of(range) = asked_for(&headers, &tag, 1000)
    {
        assert!(range.start < range.end && range.end <= 1000);
    }
}

fn read_headers(data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// The part of a URL behind the `?`, as every list reads it.
pub fn list_query(data: &[u8]) {
    let typed = String::from_utf8_lossy(data);
    fn read<T: DeserializeOwned>(typed: &str) {
        told(query::parse::<T>(typed));
    }
    read::<wire::ConversationList>(&typed);
    read::<wire::MessageList>(&typed);
    read::<wire::ContactList>(&typed);
    read::<wire::OptOutList>(&typed);
    read::<wire::EventList>(&typed);
    read::<wire::RowList>(&typed);
    read::<wire::AuditList>(&typed);
    read::<wire::Search>(&typed);
}

/// A JSON body, as every operation reads it.
pub fn json_body(data: &[u8]) {
    fn read<T: DeserializeOwned>(data: &[u8]) {
        told(json::parse::<T>(data));
    }
    read::<wire::Open>(data);
    read::<wire::Change>(data);
    read::<wire::Reply>(data);
    read::<wire::Send>(data);
    read::<wire::Call>(data);
    read::<wire::Retry>(data);
    read::<wire::NewContact>(data);
    read::<wire::ChangeContact>(data);
    read::<wire::Merge>(data);
    read::<wire::SetOptOut>(data);
    read::<wire::AddStaff>(data);
    read::<wire::ChangeStaff>(data);
    read::<wire::MakeKey>(data);
    read::<wire::ConnectAccount>(data);
    read::<wire::ChangeAccount>(data);
    read::<wire::ChangeProviderSettings>(data);
    read::<wire::Credentials>(data);
}

/// What is refused says why.
fn told<T>(read: Result<T>) {
    assert!(read.map_or_else(|error| !error.message().is_empty(), |_| true));
}

/// The form of an upload: its `Content-Type` in the first line, the body behind it, which arrives in two pieces.
pub fn upload(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let Ok(boundary) = multer::parse_boundary(String::from_utf8_lossy(&data[..end])) else { return };
    let body = data.get(end + 1..).unwrap_or_default();
    let (first, second) = body.split_at(body.len() / 2);
    let pieces = [first, second].map(|piece| Ok::<_, parlance_model::Error>(Bytes::copy_from_slice(piece)));
    let mut form = multer::Multipart::new(stream::iter(pieces), boundary);
    // All of it is here, so nothing ever waits.
    let mut taken = 0;
    let read = async {
        while let Some(mut field) = form.next_field().await.map_err(upload::failed)? {
            let _ = (field.name() == Some(upload::PART), field.file_name().map(str::len));
            while let Some(chunk) = field.chunk().await.map_err(upload::failed)? {
                taken += chunk.len();
            }
        }
        Ok(())
    };
    if let Some(read) = futures::FutureExt::now_or_never(read) {
        told(read);
    }
    assert!(taken <= body.len());
}

#[cfg(test)]
mod tests {
    use parlance_testkit::fuzz::run;

    #[test]
    fn cursors_read_back_as_themselves() {
        run("cursor", super::cursor);
    }

    #[test]
    fn headers_are_read_or_refused() {
        run("headers", super::headers);
    }

    #[test]
    fn queries_are_read_or_refused() {
        run("list_query", super::list_query);
    }

    #[test]
    fn bodies_are_read_or_refused() {
        run("json_body", super::json_body);
    }

    #[test]
    fn uploads_are_read_or_refused() {
        run("upload", super::upload);
    }
}
