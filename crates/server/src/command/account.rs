//! `account`: the connections of an organisation to providers. Secrets are never shown.

use std::time::Duration;

use parlance_app::Config;
use parlance_app::account::{AccountChanges, RingChange, RingOwner, VoiceChanges};
use parlance_app::check::{Finding, Trial};
use parlance_app::directory::{ApiKey, NewTwilio};
use parlance_model::account::{Account, Ring, Settings};
use parlance_model::id::AccountId;
use parlance_model::{Error, Result};
use serde_json::{Value, json};

use super::moment;
use crate::cli::{AccountAction, IdArgs, PlaceArgs, ProviderArgs, TestArgs, VoiceArgs};
use crate::output::{self, Form, Record};
use crate::place::{once, once_with};
use crate::progress::watched;

pub(crate) fn run(place: &PlaceArgs, form: Form, action: AccountAction) -> Result<()> {
    match action {
        AccountAction::Create { org, provider: ProviderArgs::Twilio(twilio) } => {
            let new = NewTwilio {
                account_sid: twilio.account_sid,
                auth_token: twilio.auth_token,
                api_key: twilio.api_key_sid.zip(twilio.api_key_secret).map(|(sid, secret)| ApiKey { sid, secret }),
                phone_number: twilio.phone_number,
                messaging_service_sid: twilio.messaging_service_sid,
                whatsapp_number: twilio.whatsapp_number,
                base_url: twilio.base_url,
                messages_per_second: twilio.messages_per_second,
                voice: voice(twilio.voice),
            };
            let account = once(place, true, async |app| app.create_twilio(&org, new).await)?;
            form.made(Some(&account.id.to_string()), whole(account))
        }
        AccountAction::List { org } => {
            let accounts = once(place, true, async |app| app.accounts_of(&org).await)?;
            let row = |account: Account| record(account).into_iter().map(|(_, value)| value).collect();
            form.list(&COLUMNS, accounts.into_iter().map(row).collect())
        }
        AccountAction::Show(account) => {
            form.record(whole(once(place, true, async |app| app.account_of(&account.org, AccountId(account.id)).await)?))
        }
        AccountAction::Set { account, changes } => {
            let changes = AccountChanges {
                api_key: api_key(changes.api_key_sid, changes.api_key_secret)?,
                whatsapp_number: changes.whatsapp_number.map(given),
                messages_per_second: changes.messages_per_second.map(|pace| pace.0),
                voice: voice(changes.voice),
                ..AccountChanges::default()
            };
            form.record(whole(once(place, true, async |app| app.set_account(&account.org, AccountId(account.id), changes).await)?))
        }
        AccountAction::Test(options) => test(place, form, options),
        AccountAction::Disable(account) => switch(place, form, &account.org, account.id, false),
        AccountAction::Enable(account) => switch(place, form, &account.org, account.id, true),
        AccountAction::Backfill { account, since } => backfill(place, form, account, since),
    }
}

/// An empty value clears.
fn given(value: String) -> Option<String> {
    Some(value).filter(|value| !value.is_empty())
}

/// The API key that is set or cleared. A secret by itself, as a variable may hold it, changes nothing.
fn api_key(sid: Option<String>, secret: Option<String>) -> Result<Option<Option<ApiKey>>> {
    let Some(sid) = sid.map(given) else { return Ok(None) };
    let missing = || Error::invalid("api-key-secret", "Must be given with the API key's SID.");
    sid.map(|sid| Ok(ApiKey { sid, secret: secret.ok_or_else(missing)? })).transpose().map(Some)
}

fn voice(args: VoiceArgs) -> VoiceChanges {
    let ring = |text: String| match text.split_once('=') {
        Some((phone, email)) => RingChange { phone: phone.to_owned(), owner: Some(RingOwner::Email(email.to_owned())) },
        None => RingChange { phone: text, owner: None },
    };
    VoiceChanges {
        ring: args.ring.map(|rings| rings.into_iter().filter_map(given).map(ring).collect()),
        ring_s: args.ring_seconds,
        greeting: args.greeting.map(given),
        record: args.record,
    }
}

/// Tries an account, a line for each step as it is done.
fn test(place: &PlaceArgs, form: Form, options: TestArgs) -> Result<()> {
    let Some(public_url) = options.public_url else {
        return Err(Error::invalid("public-url", "Must be given, as the server has it: it is what the provider calls."));
    };
    let trial = Trial {
        org: options.account.org,
        account: AccountId(options.account.id),
        to: options.to,
        wait: Duration::from_secs(options.wait),
        configure: options.configure,
    };
    let say = |finding: &Finding| match form {
        Form::Text => output::say(&format!("{} {}: {}", if finding.ok { '✓' } else { '✗' }, finding.step, finding.text)),
        Form::Json => form.record(vec![("step", finding.step.into()), ("ok", finding.ok.into()), ("text", finding.text.as_str().into())]),
    };
    let config = Config { public_url: public_url.as_str().trim_end_matches('/').to_owned(), ..Config::default() };
    if once_with(place, true, config, async |app| app.try_account(&trial, say).await)? {
        return Ok(());
    }
    Err(Error::refused("account_failed", "The account does not work yet. The last step says what to do."))
}

fn switch(place: &PlaceArgs, form: Form, org: &str, id: i64, enabled: bool) -> Result<()> {
    form.record(whole(once(place, true, async |app| app.set_account_enabled(org, AccountId(id), enabled).await)?))
}

/// Beside a running server or without one: what both find is stored once.
fn backfill(place: &PlaceArgs, form: Form, account: IdArgs, since: Option<i64>) -> Result<()> {
    let place = place.clone();
    let compared =
        watched(move |watch| once(&place, true, async |app| app.backfill(&account.org, AccountId(account.id), since, watch).await))?;
    form.record(vec![("listed", compared.listed.into()), ("stored", compared.stored.into())])
}

const COLUMNS: [&str; 9] =
    ["id", "provider", "name", "account_sid", "phone_number", "messaging_service_sid", "whatsapp_number", "enabled", "created_at"];

/// An account with all of its settings but the secrets.
fn whole(account: Account) -> Record {
    let Settings::Twilio(twilio) = &account.settings;
    let voice = twilio.voice.clone();
    let ring = |ring: &Ring| json!({ "phone": ring.phone.as_str(), "user_id": ring.user_id.map(|user| user.0) });
    let rest: [(&'static str, Value); 6] = [
        ("api_key_sid", twilio.api_key_sid.clone().into()),
        ("messages_per_second", twilio.messages_per_second.into()),
        ("ring", voice.ring.iter().map(ring).collect()),
        ("ring_seconds", voice.ring_s.into()),
        ("greeting", voice.greeting.into()),
        ("record", voice.record.into()),
    ];
    record(account).into_iter().chain(rest).collect()
}

fn record(account: Account) -> Record {
    let (provider, enabled, created_at) = (account.provider().as_str(), account.enabled, moment(Some(account.created_ms)));
    let Settings::Twilio(twilio) = account.settings;
    let values: [Value; 9] = [
        account.id.0.into(),
        provider.into(),
        account.name.into(),
        twilio.account_sid.into(),
        twilio.phone_number.as_str().into(),
        twilio.messaging_service_sid.into(),
        twilio.whatsapp_number.map(|number| number.to_string()).into(),
        enabled.into(),
        created_at,
    ];
    COLUMNS.into_iter().zip(values).collect()
}
