//! Twilio's own list of an account's messages (twilio.com/docs/messaging/api/message-resource, "Read multiple Message
//! resources"). Numbers in it are strings, times RFC 2822, and filters by time know days only.

use std::time::Duration;

use parlance_model::account::{Account, TwilioSettings};
use parlance_model::channel::{Channel, JsonObject};
use parlance_model::clock::{day, from_rfc2822};
use parlance_model::delivery::{DeliveryError, DeliveryState};
use parlance_model::inbound::{InboundMessage, Receipt};
use parlance_model::listed::{ListFailure, Listed, Listing, Page, Went};
use parlance_model::message::Attachment;
use parlance_model::opt_out::OptSignal;
use parlance_model::phone::Address;
use parlance_model::text;
use parlance_net::{Client, Failure, Request, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::parse::{channel, is_own};
use super::rest::{authorized, resource};
use super::send::retry_after_ms;
use super::{WHATSAPP, calls, errors, is_sid, settings, status};

/// Entries of a page; Twilio's limit is 1000.
const PAGE_SIZE: &str = "200";
const TIMEOUT: Duration = Duration::from_secs(20);
/// A page of the longest messages has a megabyte.
const MAX_RESPONSE_BYTES: usize = 8 << 20;

/// A list of the account's, with its filters.
struct Feed {
    of_calls: bool,
    filters: Vec<(&'static str, String)>,
}

/// One page. `page` is the number of the feed and the query of the page in it, as an earlier page said.
pub(super) async fn page(http: &Client, account: &Account, wanted: &Listing, page: Option<&str>) -> Result<Page, ListFailure> {
    let asked = Asked::of(http, account);
    let feeds = feeds(asked.settings, wanted);
    let (number, query) = page.and_then(|page| page.split_once(' ')).unwrap_or(("0", ""));
    let number: usize = number.parse().unwrap_or(feeds.len());
    let Some(feed) = feeds.get(number) else { return Ok(Page { items: Vec::new(), next: None }) };
    let (name, since) = if feed.of_calls { ("Calls.json", "StartTime>") } else { ("Messages.json", "DateSent>") };
    let mut url = asked.url(&[name])?;
    if query.is_empty() {
        url.query_pairs_mut().extend_pairs(&feed.filters).append_pair(since, &day(wanted.since_ms)).append_pair("PageSize", PAGE_SIZE);
    } else {
        url.set_query(Some(query));
    }
    let (items, next_page_uri, all_older) =
        if feed.of_calls { calls::page(&asked, url, wanted.since_ms).await? } else { messages(&asked, url, wanted.since_ms).await? };
    // Of the next page's address only the query is taken: where to ask is not the answer's to say.
    let next = next_page_uri.as_deref().and_then(|uri| uri.split_once('?')).filter(|_| !all_older);
    let next = match next {
        Some((_, query)) => Some(format!("{number} {query}")),
        None => (number + 1 < feeds.len()).then(|| format!("{} ", number + 1)),
    };
    Ok(Page { items, next })
}

/// What a page holds, where the next is, and whether everything on it is too old.
pub(super) type Part = (Vec<Listed>, Option<String>, bool);

async fn messages(asked: &Asked<'_>, url: Url, since_ms: i64) -> Result<Part, ListFailure> {
    let answer: Messages = asked.get(url).await?;
    let all_older = answer.messages.iter().all(|entry| entry.at_ms().is_some_and(|at_ms| at_ms < since_ms));
    let mut items = Vec::new();
    // The filter knows days only. What is too old is nobody's, and its files need not be asked for.
    let is_wanted = |entry: &Entry| entry.at_ms().is_none_or(|at_ms| at_ms >= since_ms);
    for entry in answer.messages.into_iter().filter(is_wanted) {
        items.extend(asked.listed(entry).await?);
    }
    Ok((items, answer.next_page_uri, all_older))
}

/// Reads a page and all of its entries that need no further question.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz(account: &Account, body: &[u8]) {
    let Ok(page) = serde_json::from_slice::<Messages>(body) else { return };
    for entry in page.messages {
        let ends = [entry.from.as_deref(), entry.to.as_deref()];
        let _ = (is_own(account, ends[0], entry.messaging_service_sid.as_deref()), channel(ends), entry.at_ms(), entry.files());
        let sid = entry.sid.clone();
        if let Some(Listed::Went(went)) = went(account, entry) {
            assert_eq!(went.receipt.provider_id, sid);
        }
    }
}

/// The lists that together hold what is wanted.
fn feeds(settings: &TwilioSettings, wanted: &Listing) -> Vec<Feed> {
    let messages = |filters| Feed { of_calls: false, filters };
    let calls = |filters| Feed { of_calls: true, filters };
    let number = settings.phone_number.to_string();
    if let Some((channel, peer)) = &wanted.sent_to {
        return vec![match channel {
            Channel::Voice => calls(vec![("To", peer.clone()), ("From", number)]),
            Channel::Whatsapp => messages(vec![("To", format!("{WHATSAPP}{peer}"))]),
            _ => messages(vec![("To", peer.clone())]),
        }];
    }
    let both = |name: &String| [("To", name.clone()), ("From", name.clone())];
    let whatsapp = format!("{WHATSAPP}{}", settings.whatsapp_number.as_ref().unwrap_or(&settings.phone_number));
    let mut feeds: Vec<Feed> = match settings.messaging_service_sid {
        // Any number of the service's pool may have sent and received.
        Some(_) => vec![messages(Vec::new())],
        None => both(&number).into_iter().chain(both(&whatsapp)).map(|filter| messages(vec![filter])).collect(),
    };
    feeds.extend(both(&number).map(|filter| calls(vec![filter])));
    feeds
}

/// A page of the Messages list.
#[derive(Deserialize)]
struct Messages {
    messages: Vec<Entry>,
    next_page_uri: Option<String>,
}

/// The Message resource, as far as it is read here.
#[derive(Deserialize)]
struct Entry {
    sid: String,
    direction: String,
    status: String,
    from: Option<String>,
    to: Option<String>,
    body: Option<String>,
    messaging_service_sid: Option<String>,
    num_media: Option<String>,
    num_segments: Option<String>,
    date_created: Option<String>,
    date_sent: Option<String>,
    error_code: Option<u32>,
}

impl Entry {
    fn created_ms(&self) -> Option<i64> {
        from_rfc2822(self.date_created.as_deref()?)
    }

    fn at_ms(&self) -> Option<i64> {
        self.date_sent.as_deref().and_then(from_rfc2822).or_else(|| self.created_ms())
    }

    fn files(&self) -> usize {
        self.num_media.as_deref().and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

/// The files of a message.
#[derive(Deserialize)]
struct MediaList {
    media_list: Vec<Media>,
}

#[derive(Deserialize)]
struct Media {
    sid: String,
    content_type: Option<String>,
}

/// Whom is asked, and in whose name.
pub(super) struct Asked<'a> {
    http: &'a Client,
    pub(super) account: &'a Account,
    settings: &'a TwilioSettings,
}

impl<'a> Asked<'a> {
    pub(super) fn of(http: &'a Client, account: &'a Account) -> Self {
        Self { http, account, settings: settings(account) }
    }

    /// The entry in our words; nothing of what is not this account's, or cannot be understood.
    async fn listed(&self, entry: Entry) -> Result<Option<Listed>, ListFailure> {
        let inbound = entry.direction == "inbound";
        let ends = [entry.from.as_deref(), entry.to.as_deref()];
        let own = if inbound { ends[1] } else { ends[0] };
        if !is_sid(&entry.sid) || !is_own(self.account, own, entry.messaging_service_sid.as_deref()) {
            return Ok(None);
        }
        let Some(channel) = channel(ends) else { return Ok(None) };
        if inbound { self.came(entry, channel).await.map(|came| came.map(Listed::Came)) } else { Ok(went(self.account, entry)) }
    }

    async fn came(&self, entry: Entry, channel: Channel) -> Result<Option<InboundMessage>, ListFailure> {
        if !status::is_inbound(&entry.status) {
            return Ok(None);
        }
        let attachments = if entry.files() > 0 { self.files(&entry.sid).await? } else { Vec::new() };
        let from = entry.from.clone().unwrap_or_default();
        let body = text::clean(entry.body.as_deref().unwrap_or_default());
        let mut meta = JsonObject::default();
        let facts = [("to", &entry.to), ("messaging_service_sid", &entry.messaging_service_sid)];
        meta.0.extend(facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into()))));
        Ok(Some(InboundMessage {
            channel,
            from: Address::parse(&from, self.account.region),
            profile_name: None,
            attachments,
            at_ms: entry.at_ms(),
            opt: OptSignal::from_body(&body),
            segments: entry.num_segments.as_deref().and_then(|count| count.parse().ok()),
            history: true,
            provider_meta: meta,
            provider_id: entry.sid,
            body,
        }))
    }

    async fn files(&self, message: &str) -> Result<Vec<Attachment>, ListFailure> {
        // Deleted since the list was made: then there are none.
        let list = self.find::<MediaList>(self.url(&["Messages", message, "Media.json"])?).await?;
        let attachment = |media: Media| {
            let url = self.url(&["Messages", message, "Media", &media.sid])?;
            let content_type = media.content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
            Ok(Attachment::remote(url.into(), content_type))
        };
        let files = list.into_iter().flat_map(|list| list.media_list);
        files.filter(|media| is_sid(&media.sid)).map(attachment).collect()
    }

    pub(super) fn url(&self, path: &[&str]) -> Result<Url, ListFailure> {
        resource(self.settings, path).map_err(ListFailure::Account)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ListFailure> {
        self.find(url).await?.ok_or_else(|| ListFailure::Account(errors::explain("20404")))
    }

    /// `None` where there is no such thing.
    pub(super) async fn find<T: DeserializeOwned>(&self, url: Url) -> Result<Option<T>, ListFailure> {
        let request = authorized(self.settings, Request::get(url)).timeout(TIMEOUT).max_response_bytes(MAX_RESPONSE_BYTES);
        let answer = self.http.execute(request).await.map_err(without_answer)?;
        match answer.status.as_u16() {
            200..=299 => serde_json::from_slice(&answer.body)
                .map(Some)
                .map_err(|_| later("answer_unreadable", "Twilio's answer could not be read.", None)),
            404 => Ok(None),
            _ => Err(refused(&answer)),
        }
    }
}

/// An entry of a message that we sent, in our words.
fn went(account: &Account, entry: Entry) -> Option<Listed> {
    let state: DeliveryState = status::state(&entry.status)?;
    let (created_ms, files) = (entry.created_ms()?, entry.files());
    let code = entry.error_code.filter(|code| *code != 0).map(|code| code.to_string());
    let receipt = Receipt {
        provider_id: entry.sid,
        attempt: None,
        state,
        about_account: code.as_deref().is_some_and(errors::is_about_account),
        opted_out: code.as_deref() == Some(errors::OPTED_OUT),
        error: code.as_deref().map(errors::explain),
        to: entry.to.map(|to| Address::parse(&to, account.region)),
    };
    Some(Listed::Went(Went { body: entry.body.unwrap_or_default(), files, created_ms, receipt }))
}

fn refused(answer: &Response) -> ListFailure {
    let status = answer.status.as_u16();
    match status {
        401 => ListFailure::Account(errors::explain(errors::CREDENTIALS)),
        _ => later(&format!("http_{status}"), &format!("Twilio answered with HTTP status {status}."), retry_after_ms(answer)),
    }
}

fn without_answer(failure: Failure) -> ListFailure {
    match failure {
        Failure::Blocked(why) => ListFailure::Account(DeliveryError { code: "outbound_blocked".to_owned(), message: why }),
        Failure::NotSent(why) | Failure::Lost(why) => later("no_answer", &why, None),
    }
}

fn later(code: &str, seen: &str, retry_after_ms: Option<i64>) -> ListFailure {
    ListFailure::Later { error: DeliveryError { code: code.to_owned(), message: seen.to_owned() }, retry_after_ms }
}

#[cfg(test)]
mod tests;
