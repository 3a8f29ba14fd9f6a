//! The account and its numbers in the REST API: what they are, and where their hooks go
//! (twilio-oai, `FetchAccount`, `ListIncomingPhoneNumber`, `UpdateIncomingPhoneNumber`).

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, Uri};
use serde_json::{Value, json};
use url::Url;

use super::draft::web_url;
use super::listing::{Asked, Entry};
use super::refusal::Refusal;
use super::resource::date;
use super::rest::{form, stem};
use super::state::{Account, Inner, Urls};

/// The SID of a number: `PN` and its digits.
pub(crate) fn sid(number: &str) -> String {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    format!("PN{digits:0>32}")
}

/// A number of an account, as it is now.
#[derive(Debug, Clone)]
struct Owned {
    sid: String,
    account_sid: String,
    number: String,
    urls: Urls,
    since_ms: i64,
}

impl Entry for Owned {
    fn sid(&self) -> &str {
        &self.sid
    }

    fn account_sid(&self) -> &str {
        &self.account_sid
    }
}

pub(crate) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/2010-04-01/Accounts/{account}", get(account))
        .route("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json", get(list))
        .route("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{file}", get(fetch).post(update))
}

async fn account(State(inner): State<Arc<Inner>>, Path(file): Path<String>, headers: HeaderMap, uri: Uri) -> Result<Response, Refusal> {
    let account = inner.authenticate_owner(&headers, stem(&file), uri.path())?;
    let account_sid = &account.config.account_sid;
    let below = |name: &str| format!("/2010-04-01/Accounts/{account_sid}/{name}.json");
    let resource = json!({
        "auth_token": account.config.auth_token,
        "date_created": date(inner.started_ms),
        "date_updated": date(inner.started_ms),
        "friendly_name": "Simulated account",
        "owner_account_sid": account_sid,
        "sid": account_sid,
        "status": "active",
        "subresource_uris": {
            "calls": below("Calls"),
            "incoming_phone_numbers": below("IncomingPhoneNumbers"),
            "messages": below("Messages"),
            "recordings": below("Recordings"),
        },
        "type": "Full",
        "uri": format!("/2010-04-01/Accounts/{account_sid}.json"),
    });
    Ok(Json(resource).into_response())
}

async fn list(State(inner): State<Arc<Inner>>, asked: Asked) -> Response {
    let account = &asked.account;
    let numbers: Vec<_> = account.config.phone_numbers.iter().map(|number| owned(&inner, account, number)).collect();
    let wanted = asked.fields.get("PhoneNumber");
    asked.answer(numbers.iter(), |owned| wanted.is_none_or(|wanted| owned.number == wanted), ("incoming_phone_numbers", resource))
}

async fn fetch(
    State(inner): State<Arc<Inner>>,
    Path((account_sid, file)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refusal> {
    let account = inner.authenticate(&headers, &account_sid, uri.path())?;
    let number = find(&account, &file).ok_or_else(|| Refusal::not_found(uri.path()))?;
    Ok(Json(resource(&owned(&inner, &account, &number))).into_response())
}

/// Sets where hooks of the number go. An empty value is nowhere; what is not named stays.
async fn update(
    State(inner): State<Arc<Inner>>,
    Path((account_sid, file)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let path = request.uri().path().to_owned();
    let account = inner.authenticate(request.headers(), &account_sid, &path)?;
    let fields = form(request).await?;
    let number = find(&account, &file).ok_or_else(|| Refusal::not_found(&path))?;
    let mut urls = account.urls(&number);
    for (name, url) in [
        ("SmsUrl", &mut urls.sms),
        ("SmsFallbackUrl", &mut urls.sms_fallback),
        ("VoiceUrl", &mut urls.voice),
        ("StatusCallback", &mut urls.status_callback),
    ] {
        if let Some(text) = fields.given(name) {
            *url = given_url(text).ok_or_else(|| Refusal::saying(21502, format!("{name} is not a valid URL")))?;
        }
    }
    account.set_urls(&number, urls);
    Ok(Json(resource(&owned(&inner, &account, &number))).into_response())
}

/// `None` when the text is no URL, and `Some(None)` when it is empty.
fn given_url(text: &str) -> Option<Option<Url>> {
    if text.is_empty() { Some(None) } else { web_url(text).map(Some) }
}

fn find(account: &Account, file: &str) -> Option<String> {
    account.config.phone_numbers.iter().find(|number| sid(number) == stem(file)).cloned()
}

fn owned(inner: &Inner, account: &Account, number: &str) -> Owned {
    Owned {
        sid: sid(number),
        account_sid: account.config.account_sid.clone(),
        number: number.to_owned(),
        urls: account.urls(number),
        since_ms: inner.started_ms,
    }
}

/// The IncomingPhoneNumber resource.
fn resource(owned: &Owned) -> Value {
    let url = |url: &Option<Url>| url.as_ref().map_or(String::new(), Url::to_string);
    json!({
        "account_sid": owned.account_sid,
        "address_requirements": "none",
        "address_sid": null,
        "api_version": "2010-04-01",
        "beta": false,
        "bundle_sid": null,
        "capabilities": { "fax": false, "mms": true, "sms": true, "voice": true },
        "date_created": date(owned.since_ms),
        "date_updated": date(owned.since_ms),
        "emergency_address_sid": null,
        "emergency_address_status": "unregistered",
        "emergency_status": "Inactive",
        "friendly_name": owned.number,
        "identity_sid": null,
        "origin": "twilio",
        "phone_number": owned.number,
        "sid": owned.sid,
        "sms_application_sid": null,
        "sms_fallback_method": "POST",
        "sms_fallback_url": url(&owned.urls.sms_fallback),
        "sms_method": "POST",
        "sms_url": url(&owned.urls.sms),
        "status": "in-use",
        "status_callback": url(&owned.urls.status_callback),
        "status_callback_method": "POST",
        "trunk_sid": null,
        "type": null,
        "uri": format!("/2010-04-01/Accounts/{}/IncomingPhoneNumbers/{}.json", owned.account_sid, owned.sid),
        "voice_application_sid": null,
        "voice_caller_id_lookup": false,
        "voice_fallback_method": "POST",
        "voice_fallback_url": null,
        "voice_method": "POST",
        "voice_receive_mode": "voice",
        "voice_url": url(&owned.urls.voice),
    })
}
