//! Fuzz targets of files: what an upload is by its content, its name, and the small image of it.

use super::{sniff, thumbnail};

/// The name in the first line, the file behind it.
pub fn media(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (name, file) = (String::from_utf8_lossy(&data[..end]), data.get(end + 1..).unwrap_or(data));
    let content_type = sniff::content_type(&file[..file.len().min(sniff::HEAD)]);
    assert!(content_type.contains('/') && content_type.is_ascii());
    let name = sniff::safe_name(Some(&name), content_type);
    assert!(!name.is_empty() && name.chars().count() <= 130 && !name.contains(['/', '\\', '\0', '\n']));
    assert_eq!(sniff::safe_name(Some(&name), content_type), name);
    thumbnail::fuzz(content_type, file);
}

#[cfg(test)]
mod tests {
    #[test]
    fn files_are_named_and_drawn_or_not() {
        parlance_testkit::fuzz::run("media", super::media);
    }
}
