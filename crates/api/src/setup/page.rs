//! The pages of the first run: what they show, and the headers that keep them to their reader. Plain HTML without scripts; every value
//! is escaped by the template engine.

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use parlance_app::first_run::{Founded, Founding};
use parlance_model::{Error, Result};
use sha2::{Digest as _, Sha256};

use super::countries::COUNTRIES;
use crate::problem::status_of;

const STYLE: &str = include_str!("style.css");
const TEMPLATES: [(&str, &str); 4] = [
    ("layout.html", include_str!("layout.html")),
    ("form.html", include_str!("form.html")),
    ("done.html", include_str!("done.html")),
    ("message.html", include_str!("message.html")),
];

/// A group of fields under one legend.
struct Group {
    legend: &'static str,
    fields: Vec<Field>,
}

impl Group {
    fn shown(self) -> Value {
        let fields: Vec<Value> = self.fields.into_iter().map(Field::shown).collect();
        context! { legend => self.legend, fields }
    }
}

/// A field as it is shown.
#[derive(Default)]
struct Field {
    name: &'static str,
    label: &'static str,
    /// The type of the input, or `country`.
    kind: &'static str,
    autocomplete: &'static str,
    hint: &'static str,
    required: bool,
    /// Not a word of a language: a keyboard should neither capitalise nor correct it.
    plain: bool,
    value: String,
    error: Option<String>,
}

impl Field {
    fn shown(self) -> Value {
        let Self { name, label, kind, autocomplete, hint, required, plain, value, error } = self;
        context! { name, label, kind, autocomplete, hint, required, plain, value, error }
    }
}

/// The form, with what was typed and what is wrong with it.
pub(super) fn form(token: &str, typed: &Founding, error: Option<&Error>) -> Result<Response> {
    let mut groups = groups(typed);
    let mut wrong = Vec::new();
    for field in groups.iter_mut().flat_map(|group| &mut group.fields) {
        let found = error.and_then(|error| error.fields().iter().find(|found| found.name == field.name));
        field.error = found.map(|found| found.message.to_string());
        if found.is_some() {
            wrong.push((field.name, field.label));
        }
    }
    let notice = error.filter(|_| wrong.is_empty()).map(Error::message);
    let status = error.map_or(StatusCode::OK, |error| status_of(error.kind()));
    let groups: Vec<Value> = groups.into_iter().map(Group::shown).collect();
    let wrong: Vec<Value> = wrong.into_iter().map(|(name, label)| context! { name, label }).collect();
    let countries: Vec<Value> = COUNTRIES.iter().map(|&(code, name)| context! { code, name }).collect();
    answer(status, "form.html", context! { token, groups, wrong, notice, countries })
}

fn groups(typed: &Founding) -> Vec<Group> {
    let text = |name, label, value: &str| Field { name, label, kind: "text", required: true, value: value.to_owned(), ..Field::default() };
    let secret = |name, label| Field { autocomplete: "new-password", kind: "password", ..text(name, label, "") };
    let slug = Field {
        autocomplete: "off",
        hint: "Names it in commands: lower-case letters, digits and hyphens. Left empty, it is made from the name.",
        required: false,
        plain: true,
        ..text("slug", "Short name (optional)", &typed.slug)
    };
    let region = Field {
        kind: "country",
        autocomplete: "country",
        hint: "Phone numbers without a country code are read as numbers of this country.",
        ..text("region", "Country", &typed.region)
    };
    let email = Field { kind: "email", autocomplete: "username", plain: true, ..text("email", "E-mail address", &typed.email) };
    let password = Field { hint: "10 characters or more.", ..secret("password", "Password") };
    let organisation = vec![Field { autocomplete: "organization", ..text("org_name", "Name", &typed.org_name) }, slug, region];
    let owner = Field { autocomplete: "name", hint: "As colleagues see it.", ..text("name", "Your name", &typed.name) };
    vec![
        Group { legend: "Organisation", fields: organisation },
        Group { legend: "You, its owner", fields: vec![owner, email, password, secret("password_again", "Password again")] },
    ]
}

/// What was made, and what to do next.
pub(super) fn done(founded: &Founded, url: &str) -> Result<Response> {
    let Founded { org, owner, key, .. } = founded;
    let org = context! { name => &org.name, slug => &org.slug };
    let owner = context! { name => &owner.name, email => &owner.email };
    answer(StatusCode::CREATED, "done.html", context! { org, owner, key, url, reachable => url.starts_with("https://") })
}

/// A page that only says something.
pub(super) fn message(status: StatusCode, heading: &str, text: &str) -> Result<Response> {
    answer(status, "message.html", context! { heading, text })
}

/// Renders a page. The few requests of an installation's first minutes need no cache of templates.
fn answer(status: StatusCode, name: &str, values: Value) -> Result<Response> {
    let mut pages = Environment::new();
    pages.set_undefined_behavior(UndefinedBehavior::Strict);
    pages.set_auto_escape_callback(|_| AutoEscape::Html);
    for (name, text) in TEMPLATES {
        pages.add_template(name, text).map_err(Error::internal)?;
    }
    let page = pages.get_template(name).map_err(Error::internal)?;
    let html = page.render(context! { style => STYLE, ..values }).map_err(Error::internal)?;
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        STANDARD.encode(Sha256::digest(STYLE))
    );
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::try_from(policy).map_err(Error::internal)?),
        // The token stands in the address, the key on the page.
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((status, headers, html).into_response())
}
