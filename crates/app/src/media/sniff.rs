//! What an upload is: its type by its content, whatever its sender calls it, and a name that does no harm.

/// How much of a file's start is looked at, in bytes.
pub(crate) const HEAD: usize = 8192;

/// The most characters of a name.
const NAME: usize = 120;

/// The type of a file that begins like this.
pub(crate) fn content_type(head: &[u8]) -> &'static str {
    // Telephones' own container, which is kin to MP4 and taken for it otherwise.
    if head.get(4..11) == Some(b"ftyp3gp".as_slice()) {
        return "video/3gpp";
    }
    let known = infer::get(head).map(|kind| kind.mime_type());
    match known {
        // Their registered names.
        Some("audio/m4a") => "audio/mp4",
        Some("audio/x-wav") => "audio/vnd.wave",
        Some("audio/x-flac") => "audio/flac",
        Some("image/heif") => "image/heic",
        Some("video/x-m4v") => "video/mp4",
        Some(known) => known,
        None => text(head),
    }
}

/// The type of a file that has no mark of its own: one of the kinds of text, or bytes.
fn text(head: &[u8]) -> &'static str {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The head may end within a character.
        Err(error) if head.len() - error.valid_up_to() < 4 && error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return "application/octet-stream",
    };
    if valid.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}')) {
        return "application/octet-stream";
    }
    let start = valid.trim_start_matches('\u{feff}').trim_start();
    let begins = |word: &str| start.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    match () {
        () if begins("BEGIN:VCARD") => "text/vcard",
        () if begins("BEGIN:VCALENDAR") => "text/calendar",
        () if begins("<svg") => "image/svg+xml",
        () => "text/plain",
    }
}

/// The name that a file is kept and offered under: the last part of a path, without control characters and without those that turn
/// the direction of text, short, and never empty.
pub(crate) fn safe_name(given: Option<&str>, content_type: &str) -> String {
    let last = given.unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default();
    let harmful = |c: char| c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let kept: String = last.chars().filter(|c| !harmful(*c)).collect();
    let kept = kept.trim_matches(|c: char| c.is_whitespace() || c == '.');
    if kept.is_empty() {
        return format!("file{}", extension(content_type));
    }
    if kept.chars().count() <= NAME {
        return kept.to_owned();
    }
    // The end says what it is, so the middle goes.
    let ending = kept.rfind('.').map(|dot| &kept[dot..]).filter(|ending| ending.chars().count() <= 12).unwrap_or_default();
    let start: String = kept.chars().take(NAME - ending.chars().count()).collect();
    format!("{}{ending}", start.trim_end())
}

fn extension(content_type: &str) -> &'static str {
    match content_type {
        "image/jpeg" => ".jpg",
        "image/png" => ".png",
        "image/gif" => ".gif",
        "image/webp" => ".webp",
        "image/heic" => ".heic",
        "audio/mpeg" => ".mp3",
        "audio/mp4" => ".m4a",
        "audio/amr" => ".amr",
        "video/mp4" => ".mp4",
        "video/3gpp" => ".3gp",
        "video/quicktime" => ".mov",
        "application/pdf" => ".pdf",
        "text/vcard" => ".vcf",
        "text/calendar" => ".ics",
        "text/plain" => ".txt",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_says_what_it_is() {
        for (head, kind) in [
            (&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], "image/png"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image/jpeg"),
            (b"GIF89a\x01\0\x01\0", "image/gif"),
            (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
            (b"RIFF\x24\0\0\0WAVEfmt ", "audio/vnd.wave"),
            (b"#!AMR\n\x3c\x91\x17\x16\xbe\x66", "audio/amr"),
            (b"\0\0\0\x18ftyp3gp4\0\0\0\0", "video/3gpp"),
            (b"\0\0\0\x18ftypisom\0\0\0\0", "video/mp4"),
            (b"%PDF-1.7\n", "application/pdf"),
            (b"<!DOCTYPE html><html>", "text/html"),
            (b"  <html><script>", "text/html"),
            (b"<?xml version=\"1.0\"?><svg>", "text/xml"),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\">", "image/svg+xml"),
            (b"BEGIN:VCARD\r\nVERSION:3.0", "text/vcard"),
            ("\u{feff}Grüße\n".as_bytes(), "text/plain"),
            (b"\0\x01\x02\x03", "application/octet-stream"),
            (b"caf\xe9 and more", "application/octet-stream"),
        ] {
            assert_eq!(content_type(head), kind, "{:?}", String::from_utf8_lossy(head));
        }
        let mut cut = "x".repeat(HEAD - 1).into_bytes();
        cut.push("ü".as_bytes()[0]);
        assert_eq!(content_type(&cut), "text/plain", "the head ends within a character");
    }

    #[test]
    fn names_are_made_harmless() {
        let of = |name: &str| safe_name(Some(name), "image/png");
        assert_eq!(of("photo.png"), "photo.png");
        assert_eq!(of("../../etc/passwd"), "passwd");
        assert_eq!(of("C:\\Users\\ann\\my photo.png"), "my photo.png");
        assert_eq!(of("Grüße 日本.png"), "Grüße 日本.png");
        assert_eq!(of("a\r\nSet-Cookie: x\0.png"), "aSet-Cookie: x.png");
        assert_eq!(of("cod\u{202e}gnp.exe"), "codgnp.exe");
        assert_eq!(of(" .hidden. "), "hidden");
        for empty in ["", "..", "/", " ", "\u{202e}"] {
            assert_eq!(of(empty), "file.png", "{empty:?}");
        }
        assert_eq!(safe_name(None, "application/x-nothing"), "file");
        let long = of(&format!("{}.png", "ü".repeat(500)));
        assert_eq!((long.chars().count(), long.ends_with("ü.png")), (120, true));
    }
}
