//! Links to files: whoever has one may fetch what it leads to until it ends. The signature covers the org, the file, the variant
//! and the end, so a link opens that one thing and nothing beside it.
//!
//! The key is made of the installation's secret key. Links are made anew whenever something is shown or sent and are kept nowhere,
//! so another secret key ends the links that are out, and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use parlance_model::error::Kind;
use parlance_model::id::{MediaId, OrgId};
use parlance_model::media::Variant;
use parlance_model::{Error, Result};
use sha2::Sha256;

const HOUR_MS: i64 = 60 * 60 * 1000;
/// How long a link that is shown to a caller lasts at least, in milliseconds.
const SHOWN_MS: i64 = 6 * HOUR_MS;
/// How long a link that is handed to a provider lasts, in milliseconds: for its queue, its retries and its carriers.
const SENT_MS: i64 = 72 * HOUR_MS;

/// What a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Whose file.
    pub org: OrgId,
    /// Which.
    pub media: MediaId,
    /// The file or its thumbnail.
    pub variant: Variant,
}

/// Makes and checks links.
#[derive(Clone)]
pub(crate) struct Links {
    key: [u8; 32],
    /// Where providers and browsers reach us, without a trailing slash.
    pub(crate) public_url: String,
}

impl Links {
    pub(crate) fn new(key: [u8; 32], public_url: String) -> Self {
        Self { key, public_url }
    }

    /// A print of what links are made with: another key or another public URL has another, and neither can be read from it.
    pub(crate) fn print(&self) -> [u8; 32] {
        // No target is written like this.
        let mac = Hmac::<Sha256>::new_from_slice(&self.key).map(|mac| mac.chain_update(b"print of ").chain_update(&self.public_url));
        mac.map(|mac| mac.finalize().into_bytes().into()).unwrap_or_default()
    }

    /// A link for the API's callers. It ends on the hour, so that it is the same for an hour and browsers keep what they fetched.
    pub(crate) fn shown(&self, target: Target, now_ms: i64) -> String {
        self.until(target, shown_until_ms(now_ms))
    }

    /// A link for a provider.
    pub(crate) fn sent(&self, target: Target, now_ms: i64) -> String {
        self.until(target, now_ms + SENT_MS)
    }

    fn until(&self, target: Target, until_ms: i64) -> String {
        let Target { org, media, variant } = target;
        let expires = until_ms / 1000;
        let signature = self.mac(target, expires).map(|mac| URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())).unwrap_or_default();
        format!("{}/media/{org}/{media}/{variant}?expires={expires}&signature={signature}", self.public_url)
    }

    /// Whether this signature is ours, in constant time.
    ///
    /// # Errors
    /// `not_found`.
    pub(crate) fn check(&self, target: Target, expires: i64, signature: &str) -> Result<()> {
        let wrong = || Error::not_found("file");
        let given = URL_SAFE_NO_PAD.decode(signature).map_err(|_| wrong())?;
        self.mac(target, expires).ok_or_else(wrong)?.verify_slice(&given).map_err(|_| wrong())
    }

    /// The code over everything that a link says. Each part ends where the next begins: all but the word are numbers.
    fn mac(&self, target: Target, expires: i64) -> Option<Hmac<Sha256>> {
        let Target { org, media, variant } = target;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(format!("{org}/{media}/{variant}/{expires}").as_bytes());
        Some(mac)
    }
}

/// Whether a link that ends then has not ended yet.
///
/// # Errors
/// `link_expired`.
pub(crate) fn lasts(expires: i64, now_ms: i64) -> Result<()> {
    if expires.saturating_mul(1000) > now_ms {
        return Ok(());
    }
    let text = "This link has ended. Ask for the message or the file again: it comes with a new one.";
    Err(Error::new(Kind::Gone, "link_expired", text))
}

/// When a link ends that is shown now, unix ms: six to seven hours from now.
pub(crate) fn shown_until_ms(now_ms: i64) -> i64 {
    (now_ms / HOUR_MS + 1) * HOUR_MS + SHOWN_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_772_740_800_000;
    const TARGET: Target = Target { org: OrgId(3), media: MediaId(7), variant: Variant::File };

    fn links() -> Links {
        Links::new([5; 32], "https://chat.example.com".to_owned())
    }

    /// The end and the signature of a link.
    fn parts(link: &str) -> (i64, String) {
        let (expires, signature) = link.split_once("?expires=").unwrap().1.split_once("&signature=").unwrap();
        (expires.parse().unwrap(), signature.to_owned())
    }

    #[test]
    fn a_link_opens_its_target_until_its_end() {
        let link = links().shown(TARGET, NOW_MS);
        assert!(link.starts_with("https://chat.example.com/media/3/7/file?expires="), "{link}");
        let (expires, signature) = parts(&link);
        links().check(TARGET, expires, &signature).unwrap();
        lasts(expires, NOW_MS).unwrap();
        lasts(expires, expires * 1000 - 1).unwrap();
        let ended = lasts(expires, expires * 1000).unwrap_err();
        assert_eq!((ended.kind(), ended.code()), (Kind::Gone, "link_expired"));
    }

    #[test]
    fn it_opens_nothing_else() {
        let (expires, signature) = parts(&links().sent(TARGET, NOW_MS));
        let refused = |target: Target, expires: i64, signature: &str| {
            assert_eq!(links().check(target, expires, signature).unwrap_err().code(), "not_found", "{target:?} {expires} {signature}");
        };
        refused(Target { org: OrgId(4), ..TARGET }, expires, &signature);
        refused(Target { media: MediaId(8), ..TARGET }, expires, &signature);
        refused(Target { variant: Variant::Thumbnail, ..TARGET }, expires, &signature);
        refused(TARGET, expires + 1, &signature);
        for tampered in ["", "x", &signature[1..], &format!("{signature}A"), &signature.to_lowercase(), "ü"] {
            refused(TARGET, expires, tampered);
        }
        let other = Links::new([6; 32], String::new());
        assert_eq!(other.check(TARGET, expires, &signature).unwrap_err().code(), "not_found");
    }

    #[test]
    fn the_print_changes_with_the_key_and_the_public_url() {
        let of = |key, url: &str| Links::new([key; 32], url.to_owned()).print();
        assert_eq!(of(5, "https://chat.example.com"), links().print());
        assert_ne!(of(6, "https://chat.example.com"), links().print());
        assert_ne!(of(5, "https://chat.example.org"), links().print());
    }

    #[test]
    fn a_shown_link_stays_the_same_within_the_hour() {
        assert_eq!(links().shown(TARGET, NOW_MS), links().shown(TARGET, NOW_MS + HOUR_MS - 1));
        assert_ne!(links().shown(TARGET, NOW_MS), links().shown(TARGET, NOW_MS + HOUR_MS));
        assert_eq!(shown_until_ms(NOW_MS) - NOW_MS, SHOWN_MS + HOUR_MS);
    }
}
