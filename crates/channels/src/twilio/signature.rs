//! `X-Twilio-Signature`: base64 of HMAC-SHA1 under the account's auth token, over the URL that Twilio called and the sorted
//! parameters of a form (twilio.com/docs/usage/webhooks/webhooks-security). Other bodies are covered by their hash in the URL.

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::form::{self, Form};
use crate::Hook;

/// What of a hook is signed beside its URL.
enum Covered<'a> {
    /// Nothing: with `GET` the parameters are in the URL.
    UrlAlone,
    /// The body, through `bodySHA256=` in the URL: its hash in hexadecimal digits.
    BodyHash(String),
    /// Every parameter of the body.
    Parameters(&'a Form<'a>),
}

/// Whether the holder of `auth_token` signed this hook, under any spelling of any of its URLs. Constant time in the
/// signature. `form` are the hook's parameters. An account without a token verifies nothing.
pub(super) fn verify(auth_token: &str, hook: &Hook<'_>, form: Option<&Form<'_>>) -> bool {
    let Some(claimed) = claimed(hook) else { return false };
    let Some(covered) = covered(hook, form) else { return false };
    !auth_token.is_empty()
        && hook.urls.iter().flat_map(|url| spellings(url)).any(|url| {
            names_the_body(&url, &covered) && mac(auth_token, &url, &covered).is_some_and(|mac| mac.verify_slice(&claimed).is_ok())
        })
}

/// The signature that the hook came with.
fn claimed(hook: &Hook<'_>) -> Option<Vec<u8>> {
    STANDARD.decode(hook.headers.get("x-twilio-signature")?.as_bytes()).ok()
}

fn covered<'a>(hook: &Hook<'_>, form: Option<&'a Form<'a>>) -> Option<Covered<'a>> {
    if hook.method == "GET" {
        Some(Covered::UrlAlone)
    } else if form::is_form(hook) {
        form.map(Covered::Parameters)
    } else {
        Some(Covered::BodyHash(hex(&Sha256::digest(hook.body))))
    }
}

/// Whether the URL carries the hash of a body that is not signed itself. The hash is public, so a plain comparison will do;
/// that the URL is Twilio's own is what the signature proves.
fn names_the_body(url: &str, covered: &Covered<'_>) -> bool {
    match covered {
        Covered::UrlAlone | Covered::Parameters(_) => true,
        Covered::BodyHash(hash) => {
            let query = Form::parse(form::query(url).as_bytes());
            query.and_then(|query| query.text("bodySHA256")).is_some_and(|named| named.eq_ignore_ascii_case(hash))
        }
    }
}

fn mac(auth_token: &str, url: &str, covered: &Covered<'_>) -> Option<Hmac<Sha1>> {
    // Keys of any length fit HMAC, so there is always one.
    let mut mac = Hmac::<Sha1>::new_from_slice(auth_token.as_bytes()).ok()?;
    mac.update(url.as_bytes());
    if let Covered::Parameters(form) = covered {
        form.signed().for_each(|part| mac.update(part));
    }
    Some(mac)
}

/// The URL as it is, and with or without its port: Twilio's own libraries try both, because what a URL says and what
/// Twilio signs differ in this. On strings, since parsing would rewrite what was signed.
fn spellings(url: &str) -> impl Iterator<Item = Cow<'_, str>> {
    std::iter::once(Cow::Borrowed(url)).chain(other_port(url).map(Cow::Owned))
}

fn other_port(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    // The last colon begins a port, unless it is inside an IPv6 address or the user's part.
    let port = authority.rfind(':').filter(|colon| !authority[*colon..].contains([']', '@']));
    match port {
        Some(colon) => Some(format!("{scheme}://{}{path}", &authority[..colon])),
        None => {
            let default = if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 };
            Some(format!("{scheme}://{authority}:{default}{path}"))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Signs as Twilio does, for tests.
#[cfg(test)]
pub(super) fn sign(auth_token: &str, url: &str, form: Option<&[u8]>) -> String {
    let form = form.map(|form| Form::parse(form).unwrap());
    let covered = form.as_ref().map_or(Covered::UrlAlone, Covered::Parameters);
    STANDARD.encode(mac(auth_token, url, &covered).unwrap().finalize().into_bytes())
}

#[cfg(test)]
mod tests;
