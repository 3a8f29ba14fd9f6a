//! `org`, `user`, `key` and `account`: the result alone on standard output.

use std::io::Read as _;

use parlance_app::directory::NewTwilio;
use parlance_model::clock::iso8601;
use parlance_model::{Error, Result};

use crate::cli::{AccountAction, KeyAction, OrgAction, PlaceArgs, ProviderArgs, UserAction};
use crate::output::say;
use crate::place::once;

pub(crate) fn org(place: &PlaceArgs, action: OrgAction) -> Result<()> {
    match action {
        OrgAction::Create { name, slug, region } => {
            let org = once(place, false, async |app| app.create_org(&slug, &name, &region).await)?;
            say(&org.id.to_string())
        }
        OrgAction::Show { slug } => {
            let org = once(place, false, async |app| app.org(&slug).await)?;
            let lines = [
                ("id", org.id.to_string()),
                ("slug", org.slug),
                ("name", org.name),
                ("sms_provider", org.sms_provider.unwrap_or_else(|| "none".to_owned())),
                ("events", org.seq.to_string()),
                ("created_at", iso8601(org.created_ms)),
            ];
            lines.iter().try_for_each(|(name, value)| say(&format!("{name}: {value}")))
        }
    }
}

pub(crate) fn user(place: &PlaceArgs, action: UserAction) -> Result<()> {
    let UserAction::Create { org, email, name, role, password_stdin } = action;
    let given = password_stdin.then(from_stdin).transpose()?;
    let (_, made) = once(place, false, async |app| app.create_user(&org, &email, &name, role, given).await)?;
    made.map_or(Ok(()), |password| say(&password))
}

pub(crate) fn key(place: &PlaceArgs, action: KeyAction) -> Result<()> {
    let KeyAction::Create { org, user, dialect, name, assistant } = action;
    let (_, token) = once(place, false, async |app| app.create_key(&org, user, &name, dialect, assistant).await)?;
    say(&token)
}

pub(crate) fn account(place: &PlaceArgs, action: AccountAction) -> Result<()> {
    let AccountAction::Create { org, provider: ProviderArgs::Twilio(twilio) } = action;
    let auth_token = match twilio.auth_token {
        Some(token) => token,
        None => from_stdin()?,
    };
    let new = NewTwilio {
        account_sid: twilio.account_sid,
        auth_token,
        phone_number: twilio.phone_number,
        messaging_service_sid: twilio.messaging_service_sid,
        base_url: twilio.base_url,
    };
    let account = once(place, true, async |app| app.create_twilio(&org, new).await)?;
    say(&account.id.to_string())
}

/// A secret from standard input, without the line's end.
fn from_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|cause| Error::invalid("stdin", "Must be UTF-8 text.").with_source(cause))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
