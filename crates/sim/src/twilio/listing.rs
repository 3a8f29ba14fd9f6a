//! Lists: Twilio's filters and its pages, newest first (twilio-oai, `ListMessage`, `ListCall`). Pages follow each other
//! by a token that names the last entry seen, so entries that arrive in between shift nothing.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::draft::Fields;
use super::message::SimMessage;
use super::refusal::Refusal;
use super::resource;
use super::state::{Account, Inner};

/// Twilio's own default, and its limit.
const PAGE_SIZE: usize = 50;
const MAX_PAGE_SIZE: usize = 1000;

/// Something that is listed.
pub(crate) trait Entry: Clone {
    /// Its SID.
    fn sid(&self) -> &str;
    /// The account that it belongs to.
    fn account_sid(&self) -> &str;
}

/// Which page a list asks for.
#[derive(Debug)]
struct Query {
    /// The query as it came, without what chooses the page.
    filters: Vec<(String, String)>,
    page_size: usize,
    page: usize,
    start: Start,
}

/// A list that somebody asks for: whose, and which part of it.
pub(crate) struct Asked {
    /// The account in the path, whose credentials came along.
    pub(crate) account: Arc<Account>,
    /// The parameters of the query.
    pub(crate) fields: Fields,
    query: Query,
    path: String,
}

impl FromRequestParts<Arc<Inner>> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, inner: &Arc<Inner>) -> Result<Self, Refusal> {
        let path = parts.uri.path().to_owned();
        let named = Path::<HashMap<String, String>>::from_request_parts(parts, inner).await;
        let account_sid = named.ok().and_then(|Path(mut named)| named.remove("account")).unwrap_or_default();
        let account = inner.authenticate(&parts.headers, &account_sid, &path)?;
        let query = parts.uri.query().unwrap_or_default();
        let fields = Fields::parse(query.as_bytes());
        Ok(Self { account, query: Query::parse(query, &fields)?, fields, path })
    }
}

impl Asked {
    /// The page of these entries, which come oldest first, under this name.
    pub(crate) fn answer<'a, T: Entry + 'a>(
        &self,
        entries: impl DoubleEndedIterator<Item = &'a T>,
        wants: impl Fn(&T) -> bool,
        shown: (&str, impl Fn(&T) -> Value),
    ) -> Response {
        let page = page(entries, &self.account.config.account_sid, &self.query, wants);
        Json(envelope(&self.path, &self.query, &page, shown)).into_response()
    }
}

/// Where a page begins.
#[derive(Debug)]
enum Start {
    /// After so many entries.
    At(usize),
    /// After this entry.
    After(String),
    /// So that it ends before this entry.
    Before(String),
}

/// One page.
#[derive(Debug)]
struct Page<T> {
    entries: Vec<T>,
    more_before: bool,
    more_after: bool,
}

impl Query {
    fn parse(query: &str, fields: &Fields) -> Result<Self, Refusal> {
        let number = |name: &str, default: usize| match fields.get(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| Refusal::saying(20001, format!("Invalid parameter: {name} must be a number"))),
        };
        let page_size = number("PageSize", PAGE_SIZE)?.clamp(1, MAX_PAGE_SIZE);
        let page = number("Page", 0)?;
        let start = match fields.get("PageToken").and_then(|token| token.split_at_checked(2)) {
            Some(("PA", sid)) => Start::After(sid.to_owned()),
            Some(("PB", sid)) => Start::Before(sid.to_owned()),
            _ => Start::At(page.saturating_mul(page_size)),
        };
        let filters = form_urlencoded::parse(query.as_bytes()).into_owned();
        Ok(Self {
            filters: filters.filter(|(name, _)| !["PageSize", "Page", "PageToken"].contains(&name.as_str())).collect(),
            page_size,
            page,
            start,
        })
    }

    fn uri(&self, path: &str, page: usize, token: Option<String>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.filters);
        query.append_pair("PageSize", &self.page_size.to_string()).append_pair("Page", &page.to_string());
        if let Some(token) = token {
            query.append_pair("PageToken", &token);
        }
        format!("{path}?{}", query.finish())
    }
}

/// Which messages are wanted.
#[derive(Debug)]
pub(crate) struct MessageFilter {
    to: Option<String>,
    from: Option<String>,
    /// Unix ms, first and last, that `date_sent` may have.
    sent: (i64, i64),
}

impl MessageFilter {
    pub(crate) fn parse(fields: &Fields) -> Result<Self, Refusal> {
        let text = |name: &str| fields.get(name).map(str::to_owned);
        Ok(Self { to: text("To"), from: text("From"), sent: span(fields, "DateSent")? })
    }

    pub(crate) fn wants(&self, message: &SimMessage) -> bool {
        // What was not handed over yet is found by the time of its creation.
        let sent_ms = message.sent_ms.unwrap_or(message.created_ms);
        self.to.as_ref().is_none_or(|to| *to == message.to)
            && self.from.as_ref().is_none_or(|from| message.from.as_ref() == Some(from))
            && (self.sent.0..=self.sent.1).contains(&sent_ms)
    }
}

/// The span in unix ms that a field such as `DateSent`, with `DateSent>` and `DateSent<`, leaves. Both bounds are part of
/// it; a date is a whole day in UTC.
pub(crate) fn span(fields: &Fields, field: &str) -> Result<(i64, i64), Refusal> {
    let mut span = (i64::MIN, i64::MAX);
    for (sign, from, to) in [("", true, true), (">", true, false), ("<", false, true)] {
        let name = format!("{field}{sign}");
        let Some(text) = fields.get(&name) else { continue };
        let (first, last) = moment(text).ok_or_else(|| Refusal::saying(20001, format!("Invalid parameter: {name} is not a date")))?;
        if from {
            span.0 = span.0.max(first);
        }
        if to {
            span.1 = span.1.min(last);
        }
    }
    Ok(span)
}

/// The first and last millisecond of a day or a second.
fn moment(text: &str) -> Option<(i64, i64)> {
    if let Ok(time) = text.parse::<Timestamp>() {
        let second = time.as_second() * 1000;
        return Some((second, second + 999));
    }
    let day = text.parse::<Date>().ok()?;
    let start = |day: Date| Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond());
    Some((start(day)?, start(day.checked_add(1.day()).ok()?)? - 1))
}

/// Cuts a page from the account's entries, which come oldest first.
fn page<'a, T: Entry + 'a>(
    entries: impl DoubleEndedIterator<Item = &'a T>,
    account_sid: &str,
    query: &Query,
    wants: impl Fn(&T) -> bool,
) -> Page<T> {
    let own: Vec<_> = entries.rev().filter(|entry| entry.account_sid() == account_sid).collect();
    let position = |sid: &str| own.iter().position(|entry| entry.sid() == sid);
    // A token's entry may have been forgotten or deleted: then there is nothing left beside it.
    let (before, after): (&[_], &[_]) = match &query.start {
        Start::At(_) => (&[], &own),
        Start::After(sid) => position(sid).map_or((&own[..], &[]), |at| own.split_at(at + 1)),
        Start::Before(sid) => position(sid).map_or((&[], &own[..]), |at| own.split_at(at)),
    };
    let wanted = |entry: &&&T| wants(entry);
    if let Start::Before(_) = query.start {
        let mut page: Vec<T> = before.iter().rev().filter(wanted).take(query.page_size + 1).map(|entry| (*entry).clone()).collect();
        let more_before = page.len() > query.page_size;
        page.truncate(query.page_size);
        page.reverse();
        return Page { entries: page, more_before, more_after: after.iter().any(|entry| wants(entry)) };
    }
    let skip = if let Start::At(skip) = query.start { skip } else { 0 };
    let mut page: Vec<T> = after.iter().filter(wanted).skip(skip).take(query.page_size + 1).map(|entry| (*entry).clone()).collect();
    let more_after = page.len() > query.page_size;
    page.truncate(query.page_size);
    Page { entries: page, more_before: skip > 0 || before.iter().any(|entry| wants(entry)), more_after }
}

/// The list as Twilio shows it, its entries under `name`.
fn envelope<T: Entry>(path: &str, query: &Query, page: &Page<T>, (name, show): (&str, impl Fn(&T) -> Value)) -> Value {
    let start = query.page.saturating_mul(query.page_size);
    let token = |kind: &str, entry: Option<&T>| entry.map(|entry| format!("{kind}{}", entry.sid()));
    let next = page.more_after.then(|| query.uri(path, query.page + 1, token("PA", page.entries.last())));
    let previous = (page.more_before && query.page > 0).then(|| query.uri(path, query.page - 1, token("PB", page.entries.first())));
    json!({
        "end": start + page.entries.len().saturating_sub(1),
        "first_page_uri": query.uri(path, 0, None),
        "next_page_uri": next,
        "page": query.page,
        "page_size": query.page_size,
        "previous_page_uri": previous,
        "start": start,
        "uri": query.uri(path, query.page, None),
        name: page.entries.iter().map(show).collect::<Vec<_>>(),
    })
}

/// The files of a message, on one page: there are ten at most.
pub(crate) fn media(path: &str, message: &SimMessage) -> Value {
    let uri = format!("{path}?PageSize={PAGE_SIZE}&Page=0");
    json!({
        "end": message.media.len().saturating_sub(1),
        "first_page_uri": uri,
        "next_page_uri": null,
        "page": 0,
        "page_size": PAGE_SIZE,
        "previous_page_uri": null,
        "start": 0,
        "uri": uri,
        "media_list": message.media.iter().map(|media| resource::media(message, media)).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::{moment, span};
    use crate::twilio::draft::Fields;

    #[test]
    fn a_date_is_a_day_and_a_time_is_a_second() {
        assert_eq!(moment("2026-03-05"), Some((1_772_668_800_000, 1_772_755_199_999)));
        assert_eq!(moment("2026-03-05T20:00:00Z"), Some((1_772_740_800_000, 1_772_740_800_999)));
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn bounds_are_part_of_the_span() {
        let span = |query: &str| span(&Fields::parse(query.as_bytes()), "DateSent").ok();
        assert_eq!(span("DateSent%3E=2026-03-05"), Some((1_772_668_800_000, i64::MAX)));
        assert_eq!(span("DateSent>=2026-03-05&DateSent<=2026-03-05"), span("DateSent=2026-03-05"));
        assert_eq!(span("DateSent=never"), None);
    }
}
