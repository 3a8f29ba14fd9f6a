//! `key`: the keys of an organisation's programs.

use parlance_model::Result;
use parlance_model::id::KeyId;
use parlance_model::key::{Dialect, Key};
use serde_json::Value;

use super::moment;
use crate::cli::{KeyAction, PlaceArgs};
use crate::output::{Form, Record};
use crate::place::once;

pub(crate) fn run(place: &PlaceArgs, form: Form, action: KeyAction) -> Result<()> {
    match action {
        KeyAction::Create { org, user, dialect, name, assistant } => {
            let (id, token) = once(place, false, async |app| app.create_key(&org, user, &name, dialect, assistant).await)?;
            form.made(Some(&token), vec![("id", id.0.into()), ("token", token.as_str().into())])
        }
        KeyAction::List { org } => {
            let keys = once(place, false, async |app| app.keys_of(&org).await)?;
            let row = |key: Key| record(key).into_iter().map(|(_, value)| value).collect();
            form.list(&COLUMNS, keys.into_iter().map(row).collect())
        }
        KeyAction::Show(key) => form.record(record(once(place, false, async |app| app.key_of(&key.org, KeyId(key.id)).await)?)),
        KeyAction::Disable(key) => {
            once(place, false, async |app| app.disable_key(&key.org, KeyId(key.id)).await)?;
            form.made(Some(&format!("key {} is disabled", key.id)), vec![("id", key.id.into()), ("disabled", true.into())])
        }
    }
}

const COLUMNS: [&str; 8] = ["id", "name", "user_id", "dialect", "scopes", "last_used_at", "expires_at", "created_at"];

fn record(key: Key) -> Record {
    let values: [Value; 8] = [
        key.id.0.into(),
        key.name.into(),
        key.user.map(|user| user.0).into(),
        key.dialect.map(Dialect::as_str).into(),
        key.scopes.iter().map(|scope| Value::from(scope.as_str())).collect(),
        moment(key.last_used_ms),
        moment(key.expires_ms),
        moment(Some(key.created_ms)),
    ];
    COLUMNS.into_iter().zip(values).collect()
}
