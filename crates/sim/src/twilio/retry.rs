//! Connection overrides: how often Twilio tries a webhook again. The fragment of its URL says so, such as
//! `#rc=2&rp=all` (twilio.com/docs/usage/webhooks/webhooks-connection-overrides). Timeouts (`ct`, `rt`, `tt`) are not read.

use super::webhook::{HookKind, Outcome};

/// The most retries that a URL can ask for.
const MAX_RETRIES: usize = 5;

/// How often a webhook is tried again, and after what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Retries {
    /// Tries after the first one.
    pub(crate) count: usize,
    not_connected: bool,
    no_answer: bool,
    client_errors: bool,
    server_errors: bool,
}

impl Retries {
    /// What the URL asks for; else one retry of what a customer did when it found nobody, and none of a callback.
    pub(crate) fn of(url: &str, kind: HookKind) -> Self {
        let count = usize::from(matches!(kind, HookKind::Inbound | HookKind::InboundFallback | HookKind::Voice));
        let mut retries = Self { count, not_connected: true, no_answer: false, client_errors: false, server_errors: false };
        let fragment = url.split_once('#').map_or("", |(_, fragment)| fragment);
        for (key, value) in form_urlencoded::parse(fragment.as_bytes()) {
            match &*key {
                "rc" => retries.count = value.parse().map_or(retries.count, |count: usize| count.min(MAX_RETRIES)),
                "rp" => retries.read_policy(&value),
                _ => {}
            }
        }
        retries
    }

    fn read_policy(&mut self, policy: &str) {
        let has = |word| policy.split(',').any(|part| part == word || part == "all");
        self.not_connected = has("ct");
        self.no_answer = has("rt");
        self.client_errors = has("4xx");
        self.server_errors = has("5xx");
    }

    /// Whether such an outcome is tried again.
    pub(crate) const fn covers(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Answered { status: 400..=499 } => self.client_errors,
            Outcome::Answered { status: 500..=599 } => self.server_errors,
            Outcome::Answered { .. } => false,
            Outcome::NotConnected { .. } => self.not_connected,
            Outcome::NoAnswer { .. } => self.no_answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fragment_overrides_the_defaults() {
        let refused = Outcome::NotConnected { reason: String::new() };
        let late = Outcome::NoAnswer { reason: String::new() };
        let broken = Outcome::Answered { status: 500 };

        let inbound = Retries::of("http://a/", HookKind::Inbound);
        assert_eq!((inbound.count, inbound.covers(&refused), inbound.covers(&late), inbound.covers(&broken)), (1, true, false, false));
        assert_eq!(Retries::of("http://a/", HookKind::StatusCallback).count, 0);

        let all = Retries::of("http://a/#rc=2&rp=all", HookKind::StatusCallback);
        assert_eq!((all.count, all.covers(&refused), all.covers(&late), all.covers(&broken)), (2, true, true, true));
        let some = Retries::of("http://a/#rc=99&rp=5xx,rt", HookKind::Inbound);
        assert_eq!((some.count, some.covers(&refused), some.covers(&late), some.covers(&broken)), (5, false, true, true));
    }
}
