//! What all requests to Twilio's REST API share: where they go, whose credentials go along, and how a refusal and a duration are read.

use parlance_model::account::TwilioSettings;
use parlance_model::delivery::DeliveryError;
use parlance_net::Request;
use serde::Deserialize;
use url::Url;

/// Where Twilio's API is.
const TWILIO: &str = "https://api.twilio.com";

/// A resource of the account.
///
/// # Errors
/// `base_url_invalid`, as [`below`].
pub(super) fn resource(settings: &TwilioSettings, path: &[&str]) -> Result<Url, DeliveryError> {
    let account = ["2010-04-01", "Accounts", &settings.account_sid];
    below(settings, TWILIO, &[&account, path].concat())
}

/// A resource below the account's base URL, or below `twilio` where it has none. Built from segments, so no setting and no id can
/// climb out of its place in the path.
///
/// # Errors
/// `base_url_invalid` when the base URL is not one of http or https.
pub(super) fn below(settings: &TwilioSettings, twilio: &str, path: &[&str]) -> Result<Url, DeliveryError> {
    let base = Url::parse(settings.base_url.as_deref().unwrap_or(twilio)).ok();
    let invalid = || DeliveryError {
        code: "base_url_invalid".to_owned(),
        message: "The account's base URL is not an http or https address. Correct it in the account's settings.".to_owned(),
    };
    let mut url = base.filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(invalid)?;
    url.path_segments_mut().map_err(|()| invalid())?.pop_if_empty().extend(path);
    Ok(url)
}

/// The request in the account's name: with its API key, where it has one. A base URL may be a private address, because an operator
/// gave it.
pub(super) fn authorized(settings: &TwilioSettings, request: Request) -> Request {
    authorized_by(settings, settings.credentials(), request)
}

/// The same with this user and password.
pub(super) fn authorized_by(settings: &TwilioSettings, (user, password): (&str, &str), request: Request) -> Request {
    request.basic_auth(user, password).trusted(settings.base_url.is_some())
}

/// Twilio's code of a refusal, where the body of the answer has one.
pub(super) fn refusal_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Problem {
        code: Option<u32>,
    }
    serde_json::from_slice::<Problem>(body).ok()?.code.map(|code| code.to_string())
}

/// A number of seconds, which Twilio writes as text.
pub(super) fn seconds(text: Option<&str>) -> Option<i64> {
    text.and_then(|text| text.parse().ok()).filter(|seconds| *seconds >= 0)
}
