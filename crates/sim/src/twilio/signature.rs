//! `X-Twilio-Signature`, as Twilio computes it (twilio.com/docs/usage/security, "Validating requests").

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// The header that carries the signature.
pub const HEADER: &str = "x-twilio-signature";

/// Signs a form that is posted to `url`, which is taken as it was configured, query included, without its fragment.
///
/// Fields count in byte order of their names; equal fields count once; empty values count.
#[must_use]
pub fn sign<'a>(auth_token: &str, url: &str, form: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let (called, _) = url.split_once('#').unwrap_or((url, ""));
    let mut signed = called.to_owned();
    for (name, value) in form.into_iter().collect::<BTreeSet<_>>() {
        signed.push_str(name);
        signed.push_str(value);
    }
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha1>::new_from_slice(auth_token.as_bytes()).expect("a key of any length");
    mac.update(signed.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::sign;

    #[test]
    fn signatures_equal_the_vectors() {
        let vectors: Value = serde_json::from_str(include_str!("../../testdata/signatures.json")).unwrap();
        let vectors = vectors["vectors"].as_array().unwrap();
        assert_eq!(vectors.len(), 8);
        for vector in vectors {
            let text = |key: &str| vector[key].as_str().unwrap();
            // A JSON body is not part of what is signed: its hash rides in the URL.
            let body = if text("kind") == "form" { text("body") } else { "" };
            let form: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            let made = sign(text("auth_token"), text("url"), form.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            assert_eq!(made == text("signature"), vector["valid"].as_bool().unwrap(), "{}", text("name"));
        }
    }

    #[test]
    fn a_fragment_is_an_instruction_to_twilio_and_never_signed() {
        let form = [("Body", "Hi")];
        assert_eq!(sign("12345", "https://example.com/hook?a=1#rc=2&rp=all", form), sign("12345", "https://example.com/hook?a=1", form));
    }
}
