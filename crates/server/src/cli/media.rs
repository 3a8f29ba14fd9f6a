//! The value of `--media-store`.

use std::path::PathBuf;
use std::str::FromStr;

/// Where files are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MediaStore {
    /// In a folder.
    Folder(PathBuf),
    /// In a bucket that speaks S3: `s3://bucket` or `s3://bucket/prefix`.
    Bucket(String),
}

impl FromStr for MediaStore {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            None => Ok(Self::Folder(text.into())),
            Some(("s3", _)) => Ok(Self::Bucket(text.to_owned())),
            Some(_) => Err("must be a folder, or s3://bucket/prefix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MediaStore;

    #[test]
    fn a_url_is_a_bucket_and_all_else_a_folder() {
        let parsed = |text: &str| text.parse::<MediaStore>();
        assert_eq!(parsed("s3://files/one"), Ok(MediaStore::Bucket("s3://files/one".to_owned())));
        for folder in ["/mnt/media", "media", "s3", "s3:/files"] {
            assert_eq!(parsed(folder), Ok(MediaStore::Folder(folder.into())));
        }
        for other in ["gs://files", "file:///mnt/media", "S3://files", "://"] {
            assert!(parsed(other).is_err(), "{other}");
        }
    }
}
