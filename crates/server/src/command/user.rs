//! `user`: the people who sign in.

use parlance_model::Result;
use parlance_model::org::{Org, User};
use parlance_model::role::Role;
use serde_json::{Value, json};

use super::{from_stdin, moment};
use crate::cli::{PlaceArgs, UserAction};
use crate::output::{Form, Record};
use crate::place::once;

pub(crate) fn run(place: &PlaceArgs, form: Form, action: UserAction) -> Result<()> {
    match action {
        UserAction::Create { org, email, name, role, password_stdin } => {
            let given = password_stdin.then(from_stdin).transpose()?;
            let (id, made) = once(place, false, async |app| app.create_user(&org, &email, &name, role, given).await)?;
            form.made(made.as_deref(), vec![("id", id.0.into()), ("email", email.into()), ("password", made.clone().into())])
        }
        UserAction::List { org } => list(place, form, org.as_deref()),
        UserAction::Show(user) => {
            let (user, orgs) = once(place, false, async |app| app.user(&user.email).await)?;
            form.record(record(user, Some(orgs)))
        }
        UserAction::Disable(user) => switch(place, form, &user.email, false),
        UserAction::Enable(user) => switch(place, form, &user.email, true),
        UserAction::Password { user, password_stdin } => {
            let given = password_stdin.then(from_stdin).transpose()?;
            let made = once(place, false, async |app| app.reset_password(&user.email, given).await)?;
            form.made(made.as_deref(), vec![("email", user.email.into()), ("password", made.clone().into())])
        }
    }
}

fn list(place: &PlaceArgs, form: Form, org: Option<&str>) -> Result<()> {
    let users = once(place, false, async |app| app.users(org).await)?;
    let row = |(user, role): (User, Option<Role>)| {
        let mut row = vec![user.id.0.into(), user.email.into(), user.name.into(), moment(user.disabled_ms)];
        row.extend(role.map(|role| Value::from(role.as_str())));
        row
    };
    let columns = ["id", "email", "name", "disabled_at", "role"];
    form.list(&columns[..if org.is_some() { 5 } else { 4 }], users.into_iter().map(row).collect())
}

fn switch(place: &PlaceArgs, form: Form, email: &str, enabled: bool) -> Result<()> {
    form.record(record(once(place, false, async |app| app.set_user_enabled(email, enabled).await)?, None))
}

fn record(user: User, orgs: Option<Vec<(Org, Role)>>) -> Record {
    let mut record =
        vec![("id", user.id.0.into()), ("email", user.email.into()), ("name", user.name.into()), ("disabled_at", moment(user.disabled_ms))];
    if let Some(orgs) = orgs {
        let places = orgs.into_iter().map(|(org, role)| json!({ "slug": org.slug, "role": role.as_str() }));
        record.push(("orgs", places.collect()));
    }
    record
}
