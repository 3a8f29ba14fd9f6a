//! What Twilio takes as files of an MMS (twilio.com/docs/messaging/guides/accepted-mime-types). Twilio says no only after it has
//! fetched them, so what is known to be refused is refused here, where somebody can still choose another file.

use parlance_model::media::Facts;
use parlance_model::{Error, Result};

/// The most bytes of all files of a message together: "5 MB", read as generously as it can be.
const TOTAL: i64 = 5 << 20;

/// Types that Twilio converts to what the telephone takes, or passes on.
const ACCEPTED: [&str; 40] = [
    "image/jpeg",
    "image/gif",
    "image/png",
    "image/bmp",
    "image/tiff",
    "image/heic",
    "image/heif",
    "audio/basic",
    "audio/L24",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/vnd.rn-realaudio",
    "audio/vnd.wave",
    "audio/3gpp",
    "audio/3gpp2",
    "audio/ac3",
    "audio/webm",
    "audio/amr-nb",
    "audio/amr",
    "video/mpeg",
    "video/mp4",
    "video/quicktime",
    "video/webm",
    "video/3gpp",
    "video/3gpp2",
    "video/3gpp-tt",
    "video/H261",
    "video/H263",
    "video/H264",
    "text/vcard",
    "text/x-vcard",
    "text/csv",
    "text/rtf",
    "text/richtext",
    "text/calendar",
    "text/directory",
    "application/pdf",
    "application/vcard",
    "application/vnd.apple.pkpass",
];

/// Refuses files that Twilio is known to refuse.
pub(super) fn check(files: &[&Facts]) -> Result<()> {
    if let Some(other) = files.iter().find(|facts| !ACCEPTED.contains(&facts.content_type.as_str())) {
        let text = format!(
            "{} is of the type {}, which Twilio does not take in a text message. Send a link to it.",
            other.name, other.content_type
        );
        return Err(Error::invalid("media_ids", text));
    }
    let total: i64 = files.iter().map(|facts| facts.size).sum();
    if total > TOTAL {
        let text = "The files of a text message may have 5 MB together over Twilio. Send fewer or smaller ones, or a link.";
        return Err(Error::invalid("media_ids", text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(content_type: &str, size: i64) -> Facts {
        Facts { content_type: content_type.to_owned(), size, name: "a.bin".to_owned(), width: None, height: None }
    }

    #[test]
    fn what_twilio_refuses_is_refused_before_it_is_sent() {
        let of = |files: &[Facts]| check(&files.iter().collect::<Vec<_>>());
        of(&[]).unwrap();
        of(&[facts("image/png", TOTAL)]).unwrap();
        of(&[facts("image/jpeg", TOTAL / 2), facts("application/pdf", TOTAL / 2)]).unwrap();
        for files in [vec![facts("image/png", TOTAL + 1)], vec![facts("image/png", TOTAL), facts("image/png", 1)]] {
            assert!(of(&files).unwrap_err().message().contains("5 MB"));
        }
        for kind in ["image/webp", "image/svg+xml", "text/html", "text/plain", "application/zip", "application/octet-stream"] {
            let error = of(&[facts("image/png", 1), facts(kind, 1)]).unwrap_err();
            assert!(error.message().contains(kind) && error.fields()[0].name == "media_ids", "{error}");
        }
    }
}
