//! `audit`: who changed what in an organisation.

use parlance_app::audit::{Filter, Record};
use parlance_model::Result;
use parlance_model::audit::Subject;
use parlance_model::id::KeyId;
use serde_json::Value;

use super::moment;
use crate::cli::{AuditAction, AuditArgs, PlaceArgs};
use crate::output::Form;
use crate::place::once;

pub(crate) fn run(place: &PlaceArgs, form: Form, action: AuditAction) -> Result<()> {
    let AuditAction::List(args) = action;
    let AuditArgs { org, user, key, action, subject, subject_id, after, before, limit } = args;
    let records = once(place, false, async |app| {
        let user = match user {
            Some(email) => Some(app.user(&email).await?.0.id),
            None => None,
        };
        let subject = subject.zip(subject_id).map(|(kind, id)| Subject { kind, id });
        let filter = Filter { user, key: key.map(KeyId), action, subject, from_ms: after, until_ms: before };
        app.audit_of(&org, filter, limit).await
    })?;
    form.list(&COLUMNS, records.into_iter().map(|record| row(record, form)).collect())
}

const COLUMNS: [&str; 12] =
    ["id", "at", "actor", "user_id", "user_name", "key_id", "key_name", "request_id", "action", "subject", "subject_id", "details"];

fn row(record: Record, form: Form) -> Vec<Value> {
    let details = Value::Object(record.details.0);
    vec![
        record.id.into(),
        moment(Some(record.at_ms)),
        record.actor.into(),
        record.user.map(|user| user.0).into(),
        record.user_name.into(),
        record.key.map(|key| key.0).into(),
        record.key_name.into(),
        record.request_id.into(),
        record.action.into(),
        record.subject.into(),
        record.subject_id.into(),
        // People need the names of what is in it, too.
        if form == Form::Json { details } else { details.to_string().into() },
    ]
}
