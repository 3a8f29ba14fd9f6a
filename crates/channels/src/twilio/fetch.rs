//! Fetches a file of a message from Twilio (twilio.com/docs/messaging/api/media-resource). The address answers with a redirect to
//! where the file is kept, which may be anybody's server: the account's credentials go to its own API and nowhere else.

use std::time::Duration;

use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use parlance_model::account::{Account, TwilioSettings};
use parlance_model::delivery::DeliveryError;
use parlance_net::{Client, Failure, Request, is_local};
use url::{Origin, Url};

use super::rest::authorized;
use super::{errors, settings};
use crate::Fetched;

/// The longest wait for an answer, and between two parts of a file.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest that a file may take.
const WHOLE: Duration = Duration::from_secs(40);
/// Twilio needs one or two.
const REDIRECTS: usize = 3;

/// How far the address that is asked next is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The account's own API: it gets the credentials, and may be at a private address when an operator said so.
    Api,
    /// Another port of the machine in the operator's own network that plays Twilio: no credentials.
    Beside,
    /// Anybody.
    None,
}

/// Asks once, following redirects.
pub(super) async fn fetch(http: &Client, account: &Account, url: &str) -> Fetched {
    let settings = settings(account);
    let Ok(mut url) = Url::parse(url) else {
        return Fetched::Gone { error: error("not_there", "Twilio named no address that can be fetched.") };
    };
    let mut trust = if is_api(settings, &url) { Trust::Api } else { Trust::None };
    for _ in 0..=REDIRECTS {
        let opened = match http.open(request(settings, &url, trust), WHOLE).await {
            Ok(opened) => opened,
            Err(Failure::Blocked(why)) => return Fetched::Gone { error: error("outbound_blocked", &why) },
            Err(Failure::NotSent(why) | Failure::Lost(why)) => return Fetched::Later { error: error("not_fetched", &why) },
        };
        if !is_redirect(opened.status()) {
            return match opened.status() {
                StatusCode::OK => Fetched::Here(opened),
                status => refused(status, trust),
            };
        }
        let Some(next) = location(&url, opened.headers()) else { break };
        trust = after(settings, trust, &url, &next);
        url = next;
    }
    Fetched::Gone { error: error("not_there", "Twilio sent us from one address to the next, and none has the file.") }
}

fn request(settings: &TwilioSettings, url: &Url, trust: Trust) -> Request {
    let mut url = url.clone();
    // A name and password in an address would be sent in place of the account's, or to a stranger.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    let request = Request::get(url).timeout(PAUSE);
    match trust {
        Trust::Api => authorized(settings, request),
        Trust::Beside => request.trusted(true),
        Trust::None => request,
    }
}

/// Where an operator's base URL says that the API is.
fn base(settings: &TwilioSettings) -> Option<Url> {
    Url::parse(settings.base_url.as_deref()?).ok()
}

fn is_api(settings: &TwilioSettings, url: &Url) -> bool {
    if settings.base_url.is_some() {
        return base(settings).is_some_and(|base| same_origin(&base.origin(), url));
    }
    let host = url.host_str().unwrap_or_default();
    url.scheme() == "https" && url.port().is_none() && (host == "twilio.com" || host.ends_with(".twilio.com"))
}

/// What a redirect leaves of the trust. It never grows: what a stranger names is a stranger's.
fn after(settings: &TwilioSettings, trust: Trust, from: &Url, to: &Url) -> Trust {
    if trust == Trust::None || same_origin(&from.origin(), to) {
        return trust;
    }
    // Where a simulator or a proxy in the operator's own network plays Twilio, its files are on another port of the same machine.
    // Of Twilio itself there is no such machine, so nothing that it says leads into a private network.
    let beside = base(settings).is_some_and(|base| is_local(&base) && is_local(to) && base.host() == to.host());
    if beside { Trust::Beside } else { Trust::None }
}

fn same_origin(origin: &Origin, url: &Url) -> bool {
    origin.is_tuple() && *origin == url.origin()
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn location(from: &Url, headers: &HeaderMap) -> Option<Url> {
    from.join(headers.get(LOCATION)?.to_str().ok()?).ok()
}

fn refused(status: StatusCode, trust: Trust) -> Fetched {
    let answered = format!("The provider answered with HTTP status {}.", status.as_u16());
    match status.as_u16() {
        401 if trust == Trust::Api => Fetched::Account { error: errors::explain(errors::CREDENTIALS) },
        // Twilio tells of a message before its files are everywhere.
        404 => Fetched::Later { error: error("not_there", "The provider does not have the file.") },
        408 | 425 | 429 | 500.. => Fetched::Later { error: error("not_fetched", &answered) },
        _ => Fetched::Gone { error: error("not_there", &format!("The provider does not give the file out. {answered}")) },
    }
}

fn error(code: &str, message: &str) -> DeliveryError {
    DeliveryError { code: code.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests;
