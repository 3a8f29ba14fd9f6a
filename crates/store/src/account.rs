//! Accounts, their encrypted secrets, and the routes by which a hook finds them before anything is verified.

use std::borrow::Cow;

use parlance_model::account::{Account, Settings};
use parlance_model::channel::Provider;
use parlance_model::error::Kind;
use parlance_model::id::{AccountId, OrgId};
use parlance_model::{Error, Result, entropy};

use crate::db::{Row, params};
use crate::{OrgTx, SystemTx};

/// Stores an account; answers it with its id and hook token.
///
/// # Errors
/// `account_exists` when the org has this sender already.
pub fn create(tx: &mut OrgTx<'_, '_>, name: &str, settings: &Settings) -> Result<Account> {
    const INSERT: &str = "INSERT INTO account (org_id, provider, name, settings, secret, hook_token, sender, enabled, created_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (org_id, provider, sender) DO NOTHING RETURNING id";
    const SEAL: &str = "UPDATE account SET secret = $3 WHERE org_id = $1 AND id = $2";
    let Facts { provider, external, sender, secret } = facts(settings);
    let hook_token = entropy::token(tx.shared().entropy.as_ref(), 32);
    let text = serde_json::to_string(settings).map_err(Error::internal)?;
    let now_ms = tx.now_ms();
    let values = params![provider.as_str(), name, text, &[][..] as &[u8], &hook_token, sender, true, now_ms];
    let id = tx.query_opt(INSERT, values, |row| row.get::<AccountId>(0))?.ok_or_else(|| exists(sender))?;
    // The row's id is part of what the secret is sealed with, so it is sealed once the id is known.
    let sealed = seal(tx, id, &secret)?;
    tx.execute(SEAL, params![id, &sealed])?;
    tx.execute(ROUTE, params![id, provider.as_str(), external])?;
    tx.execute(ROUTE, params![id, "hook_token", &hook_token])?;
    get(tx, id)
}

const ROUTE: &str = "INSERT INTO account_route (org_id, account_id, kind, value) VALUES ($1, $2, $3, $4)";

/// Writes an account's name, switch, settings and secret as they now are. Its provider and hook token stay.
///
/// # Errors
/// `not_found`; `account_exists` when another account of the org has the new sender.
pub fn save(tx: &mut OrgTx<'_, '_>, account: &Account) -> Result<()> {
    const TAKEN: &str = "SELECT id FROM account WHERE org_id = $1 AND provider = $2 AND sender = $3 AND id <> $4";
    const UPDATE: &str =
        "UPDATE account SET name = $3, settings = $4, secret = $5, sender = $6, enabled = $7 WHERE org_id = $1 AND id = $2";
    const UNROUTE: &str = "DELETE FROM account_route WHERE org_id = $1 AND account_id = $2 AND kind = $3";
    let Facts { provider, external, sender, secret } = facts(&account.settings);
    if tx.query_opt(TAKEN, params![provider.as_str(), sender, account.id], |row| row.get::<AccountId>(0))?.is_some() {
        return Err(exists(sender));
    }
    let text = serde_json::to_string(&account.settings).map_err(Error::internal)?;
    let sealed = seal(tx, account.id, &secret)?;
    let values = params![account.id, &account.name, text, &sealed, sender, account.enabled];
    if tx.execute(UPDATE, values)? == 0 {
        return Err(Error::not_found("account"));
    }
    tx.execute(UNROUTE, params![account.id, provider.as_str()])?;
    tx.execute(ROUTE, params![account.id, provider.as_str(), external]).map(drop)
}

/// What the columns beside the settings hold.
struct Facts<'a> {
    provider: Provider,
    /// The provider's name of the account, which its hooks carry.
    external: &'a str,
    sender: &'a str,
    secret: Cow<'a, str>,
}

fn facts(settings: &Settings) -> Facts<'_> {
    match settings {
        Settings::Twilio(twilio) => Facts {
            provider: Provider::Twilio,
            external: &twilio.account_sid,
            sender: twilio.phone_number.as_str(),
            // No secret has a line end in it.
            secret: match &twilio.api_key_sid {
                Some(_) => format!("{}\n{}", twilio.auth_token, twilio.api_key_secret).into(),
                None => twilio.auth_token.as_str().into(),
            },
        },
    }
}

fn exists(sender: &str) -> Error {
    Error::conflict("account_exists", format!("This organisation has an account for {sender} already."))
}

fn seal(tx: &OrgTx<'_, '_>, id: AccountId, secret: &str) -> Result<Vec<u8>> {
    let shared = tx.shared();
    shared.secret.seal(shared.entropy.as_ref(), &seal_name(tx.org(), id), secret)
}

fn seal_name(org: OrgId, id: AccountId) -> String {
    format!("account:{org}:{id}")
}

/// Columns of an account's row, before its secret is opened.
struct Sealed {
    account: Account,
    secret: Vec<u8>,
}

fn read(org: OrgId, row: &Row<'_>) -> Result<Sealed> {
    let account = Account {
        org,
        id: row.get(0)?,
        name: row.get(1)?,
        settings: row.json(2)?,
        hook_token: row.get(4)?,
        enabled: row.get(5)?,
        created_ms: row.get(6)?,
        region: row.word(7)?,
        org_disabled: row.get::<Option<i64>>(8)?.is_some(),
    };
    Ok(Sealed { account, secret: row.get(3)? })
}

fn open(tx: &OrgTx<'_, '_>, sealed: Sealed) -> Result<Account> {
    let mut account = sealed.account;
    let secret = tx.shared().secret.open(&seal_name(account.org, account.id), &sealed.secret)?;
    match &mut account.settings {
        Settings::Twilio(twilio) => {
            let (token, key) = secret.split_once('\n').unwrap_or((&secret, ""));
            (twilio.auth_token, twilio.api_key_secret) = (token.to_owned(), key.to_owned());
        }
    }
    Ok(account)
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, a.name, a.settings, a.secret, a.hook_token, a.enabled, a.created_ms, o.region, o.disabled_ms
             FROM account a JOIN org o ON o.id = a.org_id WHERE a.org_id = $1 ",
            $rest
        )
    };
}

/// One account, with its secrets opened.
///
/// # Errors
/// `not_found`.
pub fn get(tx: &mut OrgTx<'_, '_>, id: AccountId) -> Result<Account> {
    const GET: &str = select!("AND a.id = $2");
    let org = tx.org();
    let sealed = tx.query_opt(GET, params![id], |row| read(org, row))?.ok_or_else(|| Error::not_found("account"))?;
    open(tx, sealed)
}

/// The org's accounts, oldest first: the first enabled one of a provider is its default.
///
/// # Errors
/// Those of the database.
pub fn list(tx: &mut OrgTx<'_, '_>) -> Result<Vec<Account>> {
    const LIST: &str = select!("ORDER BY a.id");
    let org = tx.org();
    let sealed = tx.query(LIST, &[], |row| read(org, row))?;
    sealed.into_iter().map(|sealed| open(tx, sealed)).collect()
}

/// Every account that the name in an unverified hook may mean, in any org. One whose secret does not open is left out and
/// logged: it must not stop the others' hooks.
///
/// # Errors
/// Those of the database.
pub fn by_route(tx: &mut SystemTx<'_, '_>, kind: &str, value: &str) -> Result<Vec<Account>> {
    const ROUTES: &str = "SELECT org_id, account_id FROM account_route WHERE kind = $1 AND value = $2 ORDER BY org_id, account_id";
    let routes = tx.tx.query(ROUTES, params![kind, value], |row| Ok((row.get::<OrgId>(0)?, row.get::<AccountId>(1)?)))?;
    let mut accounts = Vec::new();
    for (org, id) in routes {
        match get(&mut tx.of(org), id) {
            Ok(account) => accounts.push(account),
            Err(error) if error.kind() == Kind::Internal => tracing::error!(?error, org = %org, account = %id, "an account cannot be used"),
            Err(error) => return Err(error),
        }
    }
    Ok(accounts)
}
