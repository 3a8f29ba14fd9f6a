//! Calls over real HTTP on loopback: a business that answers with TwiML, and phones that behave as they are told.

mod broken;
mod control;
mod dial;
mod inbound;
mod numbers;
mod outbound;
mod recordings;
mod twiml;
mod voicemail;

pub(super) use std::collections::BTreeSet;

pub(super) use http::Method;
pub(super) use serde_json::Value;
pub(super) use url::Url;

pub(super) use crate::twilio::tests::schema::check;
pub(super) use crate::twilio::tests::{ACCOUNT, Bench, CUSTOMER, Hook, NUMBER, OTHER_NUMBER, START_MS, TOKEN};
pub(super) use crate::twilio::{
    Behaviour, CallReport, CallStatus, Config, Fault, FaultKind, HookKind, InboundCall, Order, Phone, SimCall, signature,
};

/// A person who works for the business.
pub(super) const STAFF: &str = "+15550000001";
pub(super) const COLLEAGUE: &str = "+15550000002";

/// A bench whose numbers ask `/voice` for TwiML and report to `/status`.
pub(super) async fn bench() -> Bench {
    bench_with(|_| {}).await
}

pub(super) async fn bench_with(change: impl FnOnce(&mut Config)) -> Bench {
    Bench::with(|config| {
        let account = &mut config.accounts[0];
        let business = account.inbound_url.clone().unwrap();
        account.voice_url = business.join("/voice").ok();
        account.voice_status_callback = business.join("/status").ok();
        change(config);
    })
    .await
}

impl Bench {
    /// Lets the business answer a path with these verbs.
    pub(super) fn twiml(&self, path: &str, verbs: &str) {
        self.page(path, "text/xml; charset=utf-8", format!("<?xml version=\"1.0\"?><Response>{verbs}</Response>"));
    }

    pub(super) fn page(&self, path: &str, content_type: &'static str, page: String) {
        self.pages.lock().unwrap().insert(path.to_owned(), (content_type, page));
    }

    pub(super) fn answers(&self, number: &str, after_ms: u64, talks_ms: u64, presses: Option<&str>) {
        self.sim.phone(number, Phone::new(Behaviour::Answers { after_ms, talks_ms, presses: presses.map(str::to_owned) }));
    }

    /// The customer calls, and nothing that is answered is wrong.
    pub(super) async fn ring(&self, call: InboundCall) -> CallReport {
        let report = self.sim.call(call).await;
        assert_eq!(self.sim.twiml_errors(), []);
        report
    }

    pub(super) async fn hooks_at(&mut self, path: &str) -> Vec<Hook> {
        self.settled_hooks().await.into_iter().filter(|hook| hook.path == path).collect()
    }
}

pub(super) fn customer() -> InboundCall {
    InboundCall::new(CUSTOMER, NUMBER)
}

pub(super) fn statuses(hooks: &[Hook]) -> Vec<&str> {
    hooks.iter().map(|hook| hook.field("CallStatus")).collect()
}

pub(super) fn paths(hooks: &[Hook]) -> Vec<&str> {
    hooks.iter().map(|hook| hook.path.as_str()).collect()
}

pub(super) fn names(form: &str) -> BTreeSet<String> {
    form_urlencoded::parse(form.trim_end().as_bytes()).map(|(name, _)| name.into_owned()).collect()
}
