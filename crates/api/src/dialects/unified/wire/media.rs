//! Files on the wire: the record of an upload, the files of a message, and the lists of files to send.

use std::borrow::Cow;

use parlance_app::media::{ShownFile, ShownMedia};
use parlance_app::send::FILES_LIMIT;
use parlance_model::clock::iso8601;
use parlance_model::id::MediaId;
use parlance_model::media::Facts;
use parlance_model::message::Attachment as Stored;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};

use crate::value::Integer;

/// The most characters of a URL.
const URL: usize = 2048;

/// A file that was uploaded.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Media {
    /// Its id, for `media_ids`.
    id: i64,
    /// Where it can be fetched without a key, until `links_end_at`.
    url: String,
    /// The same for a small image of it; null where none can be made.
    thumbnail_url: Option<String>,
    /// When both links end. Asking again gives new ones.
    links_end_at: String,
    /// The type, by its content.
    content_type: String,
    /// Bytes.
    size: i64,
    /// The name that it was uploaded with, made harmless.
    name: String,
    /// Of images: pixels across, upright.
    width: Option<i64>,
    /// Of images: pixels down.
    height: Option<i64>,
    /// When it was uploaded.
    inserted_at: String,
}

impl From<ShownMedia> for Media {
    fn from(from: ShownMedia) -> Self {
        let Facts { content_type, size, name, width, height } = from.media.facts;
        Self {
            id: from.media.id.0,
            url: from.url,
            thumbnail_url: from.thumbnail_url,
            links_end_at: iso8601(from.links_end_ms),
            content_type,
            size,
            name,
            width,
            height,
            inserted_at: iso8601(from.media.created_ms),
        }
    }
}

/// A file of a message.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Attachment {
    /// Its id; null for a file that is not kept here.
    id: Option<i64>,
    /// Where it can be fetched without a key: a link that ends after some hours, or the URL that was sent. Null for a file that came in
    /// and is still being fetched from the provider, or could not be.
    url: Option<String>,
    /// The same for a small image of it, where there is one.
    thumbnail_url: Option<String>,
    /// The type; null for a URL that was sent.
    content_type: Option<String>,
    /// Bytes, where they are known.
    size: Option<i64>,
    /// The name that it was uploaded with.
    name: Option<String>,
    /// Of images: pixels across, upright.
    width: Option<i64>,
    /// Of images: pixels down.
    height: Option<i64>,
    /// Why a file that came in is not here and is not fetched any more; null otherwise.
    error_code: Option<String>,
    /// The reason in plain words.
    error_message: Option<String>,
}

impl From<ShownFile> for Attachment {
    fn from(ShownFile { attachment, url, thumbnail_url }: ShownFile) -> Self {
        let bare = Self {
            id: None,
            url,
            thumbnail_url,
            content_type: None,
            size: None,
            name: None,
            width: None,
            height: None,
            error_code: None,
            error_message: None,
        };
        match attachment {
            Stored::Stored { media_id, facts: Facts { content_type, size, name, width, height }, .. } => {
                Self { id: Some(media_id.0), content_type: Some(content_type), size: Some(size), name: Some(name), width, height, ..bare }
            }
            Stored::Linked { .. } => bare,
            Stored::Remote { content_type, error, .. } => {
                let (error_code, error_message) = error.map(|error| (error.code, error.message)).unzip();
                Self { content_type: Some(content_type), error_code, error_message, ..bare }
            }
        }
    }
}

/// Up to ten files by their ids, each once.
#[derive(Debug)]
pub(super) struct MediaIds(pub(super) Vec<MediaId>);

impl<'de> Deserialize<'de> for MediaIds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Vec::<Integer>::deserialize(from)?;
        let mut ids: Vec<i64> = given.iter().map(|id| id.get()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != given.len() || given.len() > FILES_LIMIT {
            let expected = format!("at most {FILES_LIMIT} ids, each once");
            return Err(D::Error::invalid_value(Unexpected::Seq, &expected.as_str()));
        }
        Ok(Self(given.into_iter().map(|id| MediaId(id.get())).collect()))
    }
}

impl JsonSchema for MediaIds {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "MediaIds".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let id = generator.subschema_for::<Integer>();
        json_schema!({ "type": "array", "items": id, "maxItems": FILES_LIMIT, "uniqueItems": true })
    }
}

/// Up to ten public URLs.
#[derive(Debug)]
pub(super) struct MediaUrls(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for MediaUrls {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Vec::<String>::deserialize(from)?;
        if given.len() > FILES_LIMIT || !given.iter().all(|url| is_public_url(url)) {
            let expected = format!("at most {FILES_LIMIT} URLs that begin with http:// or https://, of at most {URL} characters each");
            return Err(D::Error::invalid_value(Unexpected::Seq, &expected.as_str()));
        }
        Ok(Self(given))
    }
}

/// Whether a provider can be asked to fetch this. What is behind it is the provider's to judge: we never fetch it.
fn is_public_url(url: &str) -> bool {
    let parsed = (url.len() <= URL).then(|| url::Url::parse(url).ok()).flatten();
    parsed.is_some_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
        && !url.contains(|c: char| c.is_control() || c == ' ')
}

impl JsonSchema for MediaUrls {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "MediaUrls".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let url = json_schema!({ "type": "string", "format": "uri", "maxLength": URL, "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://" });
        json_schema!({ "type": "array", "items": url, "maxItems": FILES_LIMIT })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_a_provider_can_fetch_are_taken() {
        for url in ["https://example.com/a.png", "HTTP://example.com", "https://example.com:8443/ü?x=1#y", "http://[2001:db8::1]/a"] {
            assert!(is_public_url(url), "{url}");
        }
        let long = format!("https://example.com/{}", "a".repeat(URL));
        for url in [
            "",
            "a.png",
            "//example.com/a",
            "ftp://example.com/a",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://",
            "https://a b/",
            "https://a/\n",
            &long,
        ] {
            assert!(!is_public_url(url), "{url}");
        }
    }
}
