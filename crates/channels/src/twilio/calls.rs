//! Twilio's own list of an account's calls, and one call with its legs and recordings (twilio.com/docs/voice/api/call-resource).

use parlance_model::account::Account;
use parlance_model::call::CallStatus;
use parlance_model::call::Recording;
use parlance_model::call::news::{CallNews, News};
use parlance_model::channel::JsonObject;
use parlance_model::clock::from_rfc2822;
use parlance_model::listed::{Called, ListFailure, Listed};
use parlance_model::phone::Address;
use parlance_net::Client;
use serde::Deserialize;
use url::Url;

use super::list::{Asked, Part};
use super::parse::is_own_number;
use super::rest::seconds;
use super::{is_sid, voice};

/// A page of the Calls list.
#[derive(Deserialize)]
struct Calls {
    calls: Vec<Entry>,
    next_page_uri: Option<String>,
}

/// The Call resource, as far as it is read here.
#[derive(Deserialize)]
struct Entry {
    sid: String,
    parent_call_sid: Option<String>,
    direction: String,
    status: String,
    from: Option<String>,
    to: Option<String>,
    duration: Option<String>,
    start_time: Option<String>,
    date_created: Option<String>,
}

impl Entry {
    fn at_ms(&self) -> Option<i64> {
        [&self.start_time, &self.date_created].into_iter().flatten().find_map(|time| from_rfc2822(time))
    }

    fn is_inbound(&self) -> bool {
        self.direction == "inbound"
    }

    /// The call in our words; nothing of a leg, of what is not this account's, or cannot be understood.
    fn called(&self, account: &Account) -> Option<Called> {
        let own = if self.is_inbound() { &self.to } else { &self.from };
        let ours = self.parent_call_sid.is_none() && own.as_deref().is_some_and(|own| is_own_number(account, own));
        (ours && is_sid(&self.sid)).then_some(())?;
        Some(Called {
            provider_id: self.sid.clone(),
            inbound: self.is_inbound(),
            at_ms: self.at_ms()?,
            status: voice::status(&self.status)?,
            duration_s: seconds(self.duration.as_deref()),
        })
    }
}

/// The recordings of a call.
#[derive(Deserialize)]
struct Recordings {
    recordings: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    sid: String,
    status: Option<String>,
    source: Option<String>,
    duration: Option<String>,
}

/// One page of the list at this address.
pub(super) async fn page(asked: &Asked<'_>, url: Url, since_ms: i64) -> Result<Part, ListFailure> {
    let answer: Calls = asked.get(url).await?;
    let all_older = answer.calls.iter().all(|entry| entry.at_ms().is_some_and(|at_ms| at_ms < since_ms));
    let items = answer.calls.iter().filter_map(|entry| entry.called(asked.account)).map(Listed::Called).collect();
    Ok((items, answer.next_page_uri, all_older))
}

/// Reads a page and all of its entries.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz(account: &Account, body: &[u8]) {
    let Ok(page) = serde_json::from_slice::<Calls>(body) else { return };
    for called in page.calls.iter().filter_map(|entry| entry.called(account)) {
        assert!(is_sid(&called.provider_id));
        let _ = called.news();
    }
}

/// What hooks would have told of a call.
pub(super) async fn find(http: &Client, account: &Account, provider_id: &str) -> Result<Vec<CallNews>, ListFailure> {
    let asked = Asked::of(http, account);
    if !is_sid(provider_id) {
        return Ok(Vec::new());
    }
    let url = asked.url(&["Calls", &format!("{provider_id}.json")])?;
    let Some(entry) = asked.find::<Entry>(url).await? else { return Ok(Vec::new()) };
    let Some(called) = entry.called(account) else { return Ok(Vec::new()) };
    let mut news = Vec::new();
    if called.inbound {
        let from = Address::parse(entry.from.as_deref().unwrap_or_default(), account.region);
        let mut provider_meta = JsonObject::default();
        provider_meta.0.extend(entry.to.map(|to| ("to".to_owned(), to.into())));
        news.push(News::Incoming { from, provider_meta, missed_ms: Some(called.at_ms) });
    }
    news.push(called.news());
    if called.duration_s.is_some_and(|seconds| seconds > 0) {
        news.extend(legs(&asked, &called).await?);
        news.extend(recordings(&asked, provider_id).await?);
    }
    let told = |news| CallNews { provider_id: provider_id.to_owned(), message: None, attempt: None, news };
    Ok(news.into_iter().map(told).collect())
}

/// What became of the phones that were rung for it.
async fn legs(asked: &Asked<'_>, called: &Called) -> Result<Vec<News>, ListFailure> {
    let mut url = asked.url(&["Calls.json"])?;
    url.query_pairs_mut().append_pair("ParentCallSid", &called.provider_id);
    let answer: Calls = asked.get(url).await?;
    let leg = |entry: &Entry| {
        let (status, duration_s) = (voice::status(&entry.status)?, seconds(entry.duration.as_deref()));
        if !called.inbound {
            return Some(News::Leg { status, duration_s });
        }
        // Which of the phones it was is not said.
        let talked = status == CallStatus::Completed && duration_s.is_some_and(|seconds| seconds > 0);
        talked.then_some(News::Dialed { n: 0, bridged: true, duration_s })
    };
    Ok(answer.calls.iter().filter_map(leg).collect())
}

async fn recordings(asked: &Asked<'_>, provider_id: &str) -> Result<Vec<News>, ListFailure> {
    let answer: Recordings = asked.get(asked.url(&["Calls", provider_id, "Recordings.json"])?).await?;
    let mut news = Vec::new();
    for recorded in answer.recordings {
        if is_sid(&recorded.sid) && recorded.status.as_deref().is_none_or(|word| word == "completed") {
            let url = asked.url(&["Recordings", &format!("{}.mp3", recorded.sid)])?.into();
            let voicemail = recorded.source.as_deref() == Some("RecordVerb");
            let recording = Recording::new(recorded.sid, seconds(recorded.duration.as_deref()));
            news.push(News::Recorded { recording, url, content_type: "audio/mpeg", voicemail });
        }
    }
    Ok(news)
}
