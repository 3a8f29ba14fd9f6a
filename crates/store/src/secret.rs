//! Provider secrets at rest: XChaCha20-Poly1305, with the row's identity as associated data, so that a ciphertext
//! moved to another row does not open.

use std::path::Path;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use parlance_model::entropy::{self, Entropy};
use parlance_model::{Error, Result};
use sha2::{Digest as _, Sha256};

/// The form of a sealed secret: version, then nonce, then ciphertext. A rotated key gets a version of its own.
const VERSION: u8 = 1;
const NONCE: usize = 24;

/// The installation's key, where there is one. Not printed by anything.
#[derive(Clone)]
pub struct SecretKey(Option<Arc<Keys>>);

struct Keys {
    cipher: XChaCha20Poly1305,
    /// What other keys are made of.
    root: [u8; 32],
}

impl SecretKey {
    /// From 32 bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Some(Arc::new(Keys { cipher: XChaCha20Poly1305::new(&bytes.into()), root: bytes })))
    }

    /// A key for one purpose, made of this one: it opens nothing else, and this key cannot be told from it. Another secret key
    /// makes another.
    ///
    /// # Errors
    /// `internal` without a secret key.
    pub fn derive(&self, purpose: &str) -> Result<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.keys()?.root).map_err(Error::internal)?;
        mac.update(purpose.as_bytes());
        Ok(mac.finalize().into_bytes().into())
    }

    /// No key: for commands that touch no secret.
    #[must_use]
    pub const fn absent() -> Self {
        Self(None)
    }

    /// Whether there is a key.
    #[must_use]
    pub const fn is_present(&self) -> bool {
        self.0.is_some()
    }

    fn keys(&self) -> Result<&Keys> {
        self.0.as_deref().ok_or_else(|| Error::internal("a secret was touched without the secret key"))
    }

    /// From the text that `PARLANCE_SECRET_KEY` carries: 64 hexadecimal digits are the key itself; any other text of
    /// 32 characters or more is hashed into one.
    ///
    /// # Errors
    /// `validation_failed` on `secret-key`.
    pub fn from_text(text: &str) -> Result<Self> {
        let text = text.trim();
        let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
        let digits = digits.filter(|digits| digits.len() == 64).unwrap_or_default();
        let bytes: Vec<u8> = digits.chunks(2).filter_map(|pair| u8::try_from(pair.first()? * 16 + pair.get(1)?).ok()).collect();
        match <[u8; 32]>::try_from(bytes) {
            Ok(key) => Ok(Self::new(key)),
            Err(_) if text.chars().count() >= 32 => Ok(Self::new(Sha256::digest(text.as_bytes()).into())),
            Err(_) => Err(Error::invalid("secret-key", "Must be 32 characters or more. `openssl rand -hex 32` makes a good one.")),
        }
    }

    /// Reads `secret.key` in the data folder, or makes it, readable by its owner only.
    ///
    /// # Errors
    /// `unavailable` when it can be neither read nor made; `internal` when it is damaged.
    pub fn in_folder(data: &Path, entropy: &dyn Entropy) -> Result<Self> {
        use std::io::{ErrorKind, Write as _};
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = data.join("secret.key");
        let unusable = |cause: std::io::Error| {
            Error::unavailable(format!("{} cannot be used. Check its permissions.", path.display()), 1).with_source(cause)
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::from_text(&text),
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                let bytes: [u8; 32] = entropy::bytes(entropy);
                let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                // Written whole under another name first: a command that starts in the same moment never reads half a key.
                let fresh = data.join(format!("secret.key.{}", entropy::token(entropy, 12)));
                let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(unusable)?;
                file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(unusable)?;
                let linked = std::fs::hard_link(&fresh, &path);
                std::fs::remove_file(&fresh).map_err(unusable)?;
                match linked {
                    Ok(()) => {}
                    Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
                    Err(cause) => return Err(unusable(cause)),
                }
                std::fs::File::open(data).and_then(|folder| folder.sync_all()).map_err(unusable)?;
                Self::from_text(&std::fs::read_to_string(&path).map_err(unusable)?)
            }
            Err(cause) => Err(unusable(cause)),
        }
    }

    pub(crate) fn seal(&self, entropy: &dyn Entropy, row: &str, secret: &str) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE] = entropy::bytes(entropy);
        let payload = Payload { msg: secret.as_bytes(), aad: row.as_bytes() };
        let sealed =
            self.keys()?.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| Error::internal("a secret could not be sealed"))?;
        let mut out = vec![VERSION];
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    pub(crate) fn open(&self, row: &str, sealed: &[u8]) -> Result<String> {
        let wrong = || Error::internal(format!("the secret of {row} does not open: it was sealed with another secret key"));
        let (head, ciphertext) = sealed.split_at_checked(1 + NONCE).ok_or_else(wrong)?;
        let nonce = <[u8; NONCE]>::try_from(&head[1..]).map_err(|_| wrong())?;
        if head[0] != VERSION {
            return Err(wrong());
        }
        let payload = Payload { msg: ciphertext, aad: row.as_bytes() };
        let secret = self.keys()?.cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| wrong())?;
        String::from_utf8(secret).map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use parlance_model::entropy::SeededEntropy;

    use super::SecretKey;

    #[test]
    fn a_secret_opens_only_with_its_key_and_in_its_row() {
        let key = SecretKey::new([7; 32]);
        let sealed = key.seal(&SeededEntropy::new(1), "account:1:2", "not-a-real-token").unwrap();
        assert_eq!(key.open("account:1:2", &sealed).unwrap(), "not-a-real-token");
        assert!(key.open("account:1:3", &sealed).is_err());
        assert!(SecretKey::new([8; 32]).open("account:1:2", &sealed).is_err());
        assert!(key.open("account:1:2", &sealed[..10]).is_err());
        assert!(!sealed.windows(4).any(|window| window == b"real"));
    }

    #[test]
    fn derived_keys_differ_by_purpose_and_secret_key() {
        let of = |byte: u8, purpose: &str| SecretKey::new([byte; 32]).derive(purpose).unwrap();
        assert_eq!(of(7, "links"), of(7, "links"));
        assert_ne!(of(7, "links"), of(7, "other"));
        assert_ne!(of(7, "links"), of(8, "links"));
        assert_ne!(of(7, ""), [7; 32]);
        assert_eq!(SecretKey::absent().derive("links").unwrap_err().code(), "internal");
    }

    #[test]
    fn sixty_four_hexadecimal_digits_are_the_key_and_other_long_texts_make_one() {
        let same = |one: &SecretKey, other: &SecretKey| {
            let sealed = one.seal(&SeededEntropy::new(1), "row", "secret").unwrap();
            other.open("row", &sealed).is_ok()
        };
        let from = |text: &str| SecretKey::from_text(text).unwrap();
        let hex = "0A".repeat(32);
        assert!(same(&from(&hex), &SecretKey::new([10; 32])));
        assert!(same(&from(&format!(" {}\n", hex.to_lowercase())), &SecretKey::new([10; 32])));
        assert!(!same(&from(&format!("{hex}0")), &from(&hex)), "one digit more is another text");
        let text = "a sentence of more than thirty-two characters";
        assert!(same(&from(text), &from(text)) && !same(&from(text), &from(&text.to_uppercase())));
        for short in ["", "0a0a", &"x".repeat(31)] {
            assert_eq!(SecretKey::from_text(short).err().map(|error| error.code()), Some("validation_failed"), "{short}");
        }
        assert_eq!(SecretKey::absent().seal(&SeededEntropy::new(1), "row", "secret").unwrap_err().code(), "internal");
    }

    #[test]
    fn a_folder_keeps_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let entropy = SeededEntropy::new(2);
        let sealed = SecretKey::in_folder(folder.path(), &entropy).unwrap().seal(&entropy, "row", "secret").unwrap();
        assert_eq!(SecretKey::in_folder(folder.path(), &entropy).unwrap().open("row", &sealed).unwrap(), "secret");
    }
}
