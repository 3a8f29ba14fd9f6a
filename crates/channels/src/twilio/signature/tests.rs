//! The official vectors, and what an attacker may try.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde::Deserialize;

use super::super::testing::{By, URL, testdata, with_hook};
use super::*;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const BODY: &[u8] = b"From=%2B15559876543&Body=Hi+there&To=%2B15551234567";

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    kind: String,
    auth_token: String,
    url: String,
    body: String,
    signature: String,
    #[serde(default = "yes")]
    valid: bool,
}

fn yes() -> bool {
    true
}

fn signed(token: &str, hook: &Hook<'_>) -> bool {
    verify(token, hook, Form::of(hook).as_ref())
}

fn verifies(token: &str, urls: &[&str], signature: &str, body: &[u8]) -> bool {
    with_hook(By::Form, urls, signature, body, |hook| signed(token, hook))
}

#[test]
fn the_official_vectors_verify() {
    let vectors: Vectors = serde_json::from_slice(&testdata("vectors.json")).unwrap();
    assert_eq!(vectors.vectors.len(), 8);
    for vector in vectors.vectors {
        let by = if vector.kind == "json" { By::Json } else { By::Form };
        let verified = with_hook(by, &[&vector.url], &vector.signature, vector.body.as_bytes(), |hook| signed(&vector.auth_token, hook));
        assert_eq!(verified, vector.valid, "{}", vector.name);
    }
}

/// The signature was computed apart from this code, over the string that Twilio's libraries build.
#[test]
fn repeated_parameters_count_once_and_in_order() {
    // https://example.com/hookA1A2BCcafé
    let signature = "5P/recGn2Hg6KfdiXQwEMSLOKtI=";
    assert!(verifies("12345", &["https://example.com/hook"], signature, b"C=caf%C3%A9&A=2&B=&A=1&A=2"));
    assert!(!verifies("12345", &["https://example.com/hook"], signature, b"C=caf%C3%A9&A=2&B=&A=1&A=3"));
}

#[test]
fn the_signed_url_counts_with_and_without_its_port() {
    for (signed, configured) in [
        (URL, URL),
        ("https://chat.example.com:443/webhooks/twilio", URL),
        (URL, "https://chat.example.com:443/webhooks/twilio"),
        ("http://chat.example.com:80/a?b=c:d", "http://chat.example.com/a?b=c:d"),
        ("https://chat.example.com/a", "https://chat.example.com:8443/a"),
        ("https://[2001:db8::1]:443/a", "https://[2001:db8::1]/a"),
        ("https://[2001:db8::1]/a", "https://[2001:db8::1]:8443/a"),
        ("https://me:secret@chat.example.com:443", "https://me:secret@chat.example.com"),
    ] {
        let signature = sign(TOKEN, signed, Some(BODY));
        assert!(verifies(TOKEN, &[configured], &signature, BODY), "{signed} {configured}");
        assert!(verifies(TOKEN, &["https://other.example.com/", configured], &signature, BODY), "{signed} {configured}");
    }
    let http = sign(TOKEN, "http://chat.example.com/webhooks/twilio", Some(BODY));
    assert!(!verifies(TOKEN, &[URL], &http, BODY));
    assert!(!verifies(TOKEN, &[], &http, BODY));
}

#[test]
fn with_get_only_the_url_is_signed() {
    let url = "https://chat.example.com/webhooks/twilio?From=%2B15559876543&Body=Hi";
    let signature = sign(TOKEN, url, None);
    assert!(with_hook(By::Get, &[url], &signature, b"", |hook| signed(TOKEN, hook)));
    assert!(!with_hook(By::Get, &[&url.replace("Hi", "Ho")], &signature, b"", |hook| signed(TOKEN, hook)));
    // The same signature does not carry over to a POST that brings parameters of its own.
    assert!(!verifies(TOKEN, &[url], &signature, BODY));
}

#[test]
fn a_body_that_is_no_form_needs_its_hash_in_the_url() {
    let json = br#"{"a":1}"#;
    let verified = |url: &str, body: &[u8]| {
        let signature = sign(TOKEN, url, None);
        with_hook(By::Json, &[url], &signature, body, |hook| signed(TOKEN, hook))
    };
    let hash = hex(&Sha256::digest(json));
    assert!(verified(&format!("{URL}?bodySHA256={hash}"), json));
    assert!(verified(&format!("{URL}?x=1&bodySHA256={}", hash.to_uppercase()), json));
    assert!(!verified(&format!("{URL}?bodySHA256={hash}"), br#"{"a":2}"#));
    assert!(!verified(&format!("{URL}?bodySHA256="), json));
    assert!(!verified(URL, json));
}

#[test]
fn nothing_verifies_without_a_signature_or_a_token() {
    for signature in ["", "!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="] {
        assert!(!verifies(TOKEN, &[URL], signature, BODY), "{signature}");
    }
    assert!(!verifies("", &[URL], &sign("", URL, Some(BODY)), BODY));
}

/// The pairs of a body, as far as a signature can tell bodies apart.
fn pairs(body: &[u8]) -> BTreeSet<(Vec<u8>, Vec<u8>)> {
    let form = Form::parse(body).unwrap();
    let parts: Vec<Vec<u8>> = form.signed().map(<[u8]>::to_vec).collect();
    parts.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

proptest! {
    #[test]
    fn what_was_signed_verifies(token in "[a-f0-9]{1,40}", path in "[a-z0-9/]{0,20}", body: Vec<u8>) {
        let url = format!("https://chat.example.com/{path}");
        let signature = sign(&token, &url, Some(&body));
        prop_assert!(verifies(&token, &[&url], &signature, &body));
    }

    #[test]
    fn a_changed_byte_of_token_url_or_signature_fails(at: prop::sample::Index, bit in 0_u8..7) {
        let flipped = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at.index(text.len())] ^= 1 << bit;
            String::from_utf8(bytes).unwrap()
        };
        let signature = sign(TOKEN, URL, Some(BODY));
        prop_assert!(!verifies(&flipped(TOKEN), &[URL], &signature, BODY));
        prop_assert!(!verifies(TOKEN, &[&flipped(URL)], &signature, BODY));
        prop_assert!(!verifies(TOKEN, &[URL], &flipped(&signature), BODY));
    }

    /// Separators are left alone: Twilio signs names and values without them, so `a=b` and `a&b` are one to it.
    #[test]
    fn a_changed_byte_of_a_name_or_value_fails_unless_it_says_the_same(
        body in "[a-cA-C=&%+0-9]{1,40}",
        at: prop::sample::Index,
        byte: u8,
    ) {
        let mut changed = body.clone().into_bytes();
        let at = at.index(changed.len());
        if [byte, changed[at]].iter().any(|byte| b"&=".contains(byte)) {
            return Ok(());
        }
        changed[at] = byte;
        let same = pairs(body.as_bytes()) == pairs(&changed);
        let signature = sign(TOKEN, URL, Some(body.as_bytes()));
        prop_assert_eq!(verifies(TOKEN, &[URL], &signature, &changed), same);
    }

    #[test]
    fn no_input_panics(urls: Vec<String>, signature in "\\PC*", body: Vec<u8>, by in prop::sample::select(vec![By::Form, By::Json, By::Get])) {
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        prop_assert!(!with_hook(by, &urls, &signature, &body, |hook| signed(TOKEN, hook)));
    }
}
