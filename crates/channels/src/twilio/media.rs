//! What Twilio takes as files of a message (twilio.com/docs/messaging/guides/accepted-mime-types, twilio.com/docs/whatsapp/guidance-whatsapp-media-messages).
//! Twilio says no only after it has fetched them, so what is known to be refused is refused here, where somebody can still choose another file.

use parlance_model::channel::Channel;
use parlance_model::media::Facts;
use parlance_model::{Error, Result};

/// What a medium takes.
struct Limits {
    /// The most files of a message.
    files: usize,
    /// The types.
    types: &'static [&'static str],
    /// The most bytes of all files of a message together, read as generously as it can be.
    total: i64,
    /// The total in words.
    total_in_words: &'static str,
    /// What its messages are called.
    message: &'static str,
}

const MMS: Limits = Limits { files: 10, types: &ACCEPTED, total: 5 << 20, total_in_words: "5 MB", message: "a text message" };
const WHATSAPP: Limits =
    Limits { files: 1, types: &ACCEPTED_BY_WHATSAPP, total: 16 << 20, total_in_words: "16 MB", message: "a WhatsApp message" };

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

/// Types that WhatsApp takes.
const ACCEPTED_BY_WHATSAPP: [&str; 12] = [
    "image/jpeg",
    "image/png",
    "audio/mpeg",
    "audio/mp4",
    "audio/aac",
    "audio/ogg",
    "audio/opus",
    "audio/amr",
    "audio/3gpp",
    "video/mp4",
    "application/pdf",
    "text/vcard",
];

const fn limits(channel: Channel) -> &'static Limits {
    match channel {
        Channel::Whatsapp => &WHATSAPP,
        _ => &MMS,
    }
}

/// The most files of a message.
pub(super) const fn limit(channel: Channel) -> usize {
    limits(channel).files
}

/// Refuses files that Twilio is known to refuse.
pub(super) fn check(channel: Channel, files: &[&Facts]) -> Result<()> {
    let Limits { types, total, total_in_words, message, .. } = limits(channel);
    if let Some(other) = files.iter().find(|facts| !types.contains(&facts.content_type.as_str())) {
        let text =
            format!("{} is of the type {}, which Twilio does not take in {message}. Send a link to it.", other.name, other.content_type);
        return Err(Error::invalid("media_ids", text));
    }
    if files.iter().map(|facts| facts.size).sum::<i64>() > *total {
        let text = format!("The files of {message} may have {total_in_words} together over Twilio. Send fewer or smaller ones, or a link.");
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
        const TOTAL: i64 = 5 << 20;
        let of = |files: &[Facts]| check(Channel::Sms, &files.iter().collect::<Vec<_>>());
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

    #[test]
    fn whatsapp_takes_larger_files_and_fewer_types() {
        let of = |kind: &str, size: i64| check(Channel::Whatsapp, &[&facts(kind, size)]);
        for kind in ["image/jpeg", "audio/ogg", "video/mp4", "application/pdf"] {
            of(kind, 16 << 20).unwrap();
            assert!(of(kind, (16 << 20) + 1).unwrap_err().message().contains("16 MB"));
        }
        for kind in ["image/gif", "image/tiff", "video/quicktime", "text/csv", "text/html"] {
            let error = of(kind, 1).unwrap_err();
            assert!(error.message().contains(kind) && error.message().contains("WhatsApp"), "{error}");
        }
        assert_eq!((limit(Channel::Whatsapp), limit(Channel::Sms)), (1, 10));
    }
}
