//! The cookie of a session, and the rule that keeps other sites from using it: what changes something must come from a page
//! of our own.

use http::header::{COOKIE, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue};
use parlance_app::App;
use parlance_app::session::LASTS_S;
use parlance_model::error::Kind;
use parlance_model::{Error, Result};

/// The cookie's name.
pub(crate) const NAME: &str = "parlance_session";

/// The session's token in a request (RFC 6265, 5.4).
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut found = pairs.filter_map(|pair| pair.trim().split_once('='));
    found.find(|(name, value)| *name == NAME && !value.is_empty()).map(|(_, value)| value)
}

/// The header that gives a browser the token; without one, that takes it away.
///
/// # Errors
/// `internal` for a token that no header can hold.
pub(crate) fn set(app: &App, token: Option<&str>) -> Result<HeaderValue> {
    let secure = if app.public_url().starts_with("https://") { "; Secure" } else { "" };
    let (value, age) = token.map_or(("", 0), |token| (token, LASTS_S));
    let text = format!("{NAME}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).map_err(Error::internal)
}

/// Refuses what does not come from a page of our own: its `Origin` is that of the public URL, or names the host that is called.
///
/// # Errors
/// `bad_origin`.
pub(crate) fn same_origin(app: &App, headers: &HeaderMap) -> Result<()> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let origin = text(ORIGIN).unwrap_or_default();
    let ours = app.public_url().splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let host = origin.split_once("://").map(|(_, host)| host);
    if !origin.is_empty() && (origin == ours || (host.is_some() && host == text(HOST))) {
        return Ok(());
    }
    let text = "A request with a cookie that changes something must carry the Origin of Parlance's own pages. Programs use a key.";
    Err(Error::new(Kind::Forbidden, "bad_origin", text))
}

/// The same, where a program without pages may call too: only a foreign `Origin` is refused.
///
/// # Errors
/// `bad_origin`.
pub(crate) fn not_foreign(app: &App, headers: &HeaderMap) -> Result<()> {
    if headers.contains_key(ORIGIN) { same_origin(app, headers) } else { Ok(()) }
}
