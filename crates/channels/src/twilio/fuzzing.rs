//! Fuzz targets of what comes from the network in Twilio's name: hooks of anybody, and answers of its API.

use super::testing::{By, account, with_hook};
use super::{Twilio, calls, list, voice};
use crate::{Channel as _, Parsed};

/// A hook: how it is sent, its URL and its signature in the first line, the body behind it.
pub fn twilio_hook(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (line, body) = (String::from_utf8_lossy(&data[..end]), data.get(end + 1..).unwrap_or_default());
    let mut words = line.split(' ');
    let by = match words.next() {
        Some("json") => By::Json,
        Some("get") => By::Get,
        _ => By::Form,
    };
    let (url, signature) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let account = account();
    with_hook(by, &[url], signature, body, |hook| {
        let claim = Twilio.read(hook);
        claim.verify(&account);
        assert!(claim.account_name().map_or(true, |claimed| !claimed.is_empty() && !claimed.contains('\0')));
        if let Parsed::Call(news) = claim.parse(&account) {
            assert!(!news.provider_id.is_empty());
        }
    });
    let _ = voice::status(&line);
}

/// A page of the list of messages or of calls.
pub fn twilio_list(data: &[u8]) {
    let account = account();
    list::fuzz(&account, data);
    calls::fuzz(&account, data);
}

#[cfg(test)]
mod tests {
    use parlance_testkit::fuzz::run;

    #[test]
    fn hooks_are_read_or_refused() {
        run("twilio_hook", super::twilio_hook);
    }

    #[test]
    fn lists_are_read_or_refused() {
        run("twilio_list", super::twilio_list);
    }
}
