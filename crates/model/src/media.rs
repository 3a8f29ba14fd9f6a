//! Files: what is known of one that somebody uploaded, and how files are told of in a line of text.

use serde::{Deserialize, Serialize};

use crate::id::MediaId;
use crate::words;

/// A file as its row has it. Files are never changed: one that is edited is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Its id.
    pub id: MediaId,
    /// Its name in the media store.
    pub object_key: String,
    /// What is known of it.
    pub facts: Facts,
    /// The SHA-256 of its content.
    pub sha256: [u8; 32],
    /// The name of its thumbnail in the media store.
    pub thumbnail_key: Option<String>,
    /// When it was uploaded, unix ms.
    pub created_ms: i64,
}

/// What messages and callers are told of a file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The type, by its content.
    pub content_type: String,
    /// Bytes.
    pub size: i64,
    /// The name that it was uploaded with, made harmless.
    pub name: String,
    /// Of images: pixels across, as it is shown upright.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<i64>,
    /// Of images: pixels down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<i64>,
}

crate::show_only!(Facts { content_type, size });

words! {
    /// Which of the two things kept of a file a link leads to.
    pub enum Variant ("variant") {
        /// The file itself.
        File = "file",
        /// A small image of it.
        Thumbnail = "thumbnail",
    }
}

/// Types that a browser may show in place: they cannot carry a script. Everything else is downloaded.
const SHOWN: [&str; 21] = [
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/bmp",
    "audio/mpeg",
    "audio/mp4",
    "audio/aac",
    "audio/ogg",
    "audio/opus",
    "audio/webm",
    "audio/flac",
    "audio/amr",
    "audio/3gpp",
    "audio/vnd.wave",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
    "video/3gpp",
];

/// Whether a browser may show a file of this type in place.
#[must_use]
pub fn is_shown_inline(content_type: &str) -> bool {
    SHOWN.contains(&content_type)
}

/// One line for a message of files alone, by their types where they are known: `Photo`, `2 videos`, `3 files`. `None` without files.
#[must_use]
pub fn summary<'a>(content_types: impl Iterator<Item = Option<&'a str>>) -> Option<String> {
    const KINDS: [(&str, &str, &str); 3] =
        [("image/", "Photo", "photos"), ("video/", "Video", "videos"), ("audio/", "Audio", "audio files")];
    let types: Vec<&str> = content_types.map(Option::unwrap_or_default).collect();
    let kind = KINDS.iter().find(|(prefix, ..)| types.iter().all(|kind| kind.starts_with(prefix)));
    let (one, many) = kind.map_or(("File", "files"), |(_, one, many)| (*one, *many));
    match types.len() {
        0 => None,
        1 => Some(one.to_owned()),
        count => Some(format!("{count} {many}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_shown_inline, summary};

    #[test]
    fn files_are_told_of_by_what_they_all_are() {
        let of = |types: &[&'static str]| summary(types.iter().map(|kind| Some(*kind).filter(|kind| !kind.is_empty())));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["image/png"]).unwrap(), "Photo");
        assert_eq!(of(&["image/png", "image/jpeg"]).unwrap(), "2 photos");
        assert_eq!(of(&["video/mp4"]).unwrap(), "Video");
        assert_eq!(of(&["audio/amr", "audio/mpeg", "audio/amr"]).unwrap(), "3 audio files");
        assert_eq!(of(&["application/pdf"]).unwrap(), "File");
        assert_eq!(of(&["image/png", ""]).unwrap(), "2 files");
    }

    #[test]
    fn what_can_carry_a_script_is_never_shown_in_place() {
        for kind in [
            "image/svg+xml",
            "text/html",
            "application/xhtml+xml",
            "text/xml",
            "application/pdf",
            "text/plain",
            "application/octet-stream",
            "",
        ] {
            assert!(!is_shown_inline(kind), "{kind}");
        }
        assert!(is_shown_inline("image/png") && is_shown_inline("video/mp4"));
    }
}
