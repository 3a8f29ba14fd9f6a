//! The first run: while there is no org, whoever holds the link that `serve` prints makes the first one and its owner.
//!
//! Nothing is stored for it. The link carries a proof that only the installation's secret key can make, so every node of a
//! cluster prints and takes the same link, before and after a restart; and once there is an org, no link is taken any more.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parlance_model::audit::{Act, Action, Actor};
use parlance_model::error::{Field, Kind};
use parlance_model::key::Scopes;
use parlance_model::org::{Org, User, check_email, check_slug, suggest_slug};
use parlance_model::phone::Region;
use parlance_model::place::Place;
use parlance_model::role::Role;
use parlance_model::{Error, Result};
use parlance_store::key::NewKey;
use parlance_store::{SystemTx, installation, key, org, session, user};
use subtle::ConstantTimeEq as _;

use crate::{App, password};

/// What the owner's first key is called.
const KEY_NAME: &str = "First key";

/// What the first org and its owner are to be, as it was typed.
#[derive(Clone, Default)]
pub struct Founding {
    /// The org's name.
    pub org_name: String,
    /// Its slug; empty for one that follows from the name.
    pub slug: String,
    /// Where national phone numbers are read: ISO 3166-1 alpha-2.
    pub region: String,
    /// The owner's name.
    pub name: String,
    /// The owner's e-mail address.
    pub email: String,
    /// The owner's password, twice.
    pub password: String,
    /// The same again.
    pub password_again: String,
}

/// What was made.
pub struct Founded {
    /// The org.
    pub org: Org,
    /// Its owner.
    pub owner: User,
    /// The token of the owner's first key, to be shown once.
    pub key: String,
    /// The token of the owner's session, for the cookie.
    pub session: String,
}

impl App {
    /// The token of the link that makes the first org; `None` once there is one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn first_run_token(&self) -> Result<Option<String>> {
        let look = |tx: &mut SystemTx<'_, '_>| Ok(if org::exists(tx)? { None } else { Some(installation::first_run_proof(tx)?) });
        Ok(self.store().system_read(look).await?.map(|proof| URL_SAFE_NO_PAD.encode(proof)))
    }

    /// Whether this token makes the first org now. Wrong ones are counted by the network that they come from.
    ///
    /// # Errors
    /// `not_found` for a wrong token, and for every token once there is an org; `too_many_failures`.
    pub async fn check_first_run(&self, token: &str, from: Place) -> Result<()> {
        let look = |tx: &mut SystemTx<'_, '_>| Ok((installation::first_run_proof(tx)?, org::exists(tx)?, tx.now_ms()));
        let (proof, exists, now_ms) = self.store().system_read(look).await?;
        if !bool::from(URL_SAFE_NO_PAD.encode(proof).as_bytes().ct_eq(token.as_bytes())) {
            self.0.wrong_tokens.count(&from.network(), now_ms).map_err(crate::session::too_many)?;
            return Err(void());
        }
        if exists { Err(void()) } else { Ok(()) }
    }

    /// Makes the first org, its owner, a key for them and a session, all or nothing. Of several calls at once, one makes them.
    ///
    /// # Errors
    /// Those of [`App::check_first_run`]; `validation_failed`, naming every field that is wrong.
    pub async fn found(&self, token: &str, from: Place, founding: Founding) -> Result<Founded> {
        self.check_first_run(token, from).await?;
        let founding = founding.checked()?;
        let (password, entropy) = (founding.password.clone(), self.0.entropy.clone());
        let hash = password::apart(move || password::hash(&password, entropy.as_ref())).await??;
        let (key, session) = (key::new_token(self.0.entropy.as_ref()), session::new_token(self.0.entropy.as_ref()));
        let (kept, from) = ((key.clone(), session.clone()), from.to_string());
        let make = move |tx: &mut SystemTx<'_, '_>| {
            installation::lock(tx)?;
            if org::exists(tx)? {
                return Err(void());
            }
            let org = org::create(tx, &founding.slug, &founding.org_name, &founding.region)?;
            // The link that `serve` prints is in the hands of whoever runs the server.
            let act = Act::new(Action::OrgCreate, org.id).with("slug", org.slug.as_str()).with("name", org.name.as_str());
            tx.audit(org.id, &Actor::COMMAND, &act.with("first_run_from", from.as_str()))?;
            let owner = tx.in_new_org(org.id, &Actor::COMMAND, |tx| {
                let (owner, _) = crate::staff::add(tx, &founding.email, &founding.name, Role::Owner, &hash)?;
                let user = Some(owner.user.id);
                let first = NewKey { user, name: KEY_NAME.to_owned(), dialect: None, scopes: Scopes::FULL, expires_ms: None };
                crate::key::create(tx, &first, &kept.0)?;
                Ok(owner.user.id)
            })?;
            session::create(tx, owner, Some(org.id), &kept.1)?;
            tx.audit(org.id, &Actor::person(owner, None), &Act::new(Action::SignIn, owner).with("from", from.as_str()))?;
            Ok((org, user::get(tx, owner)?))
        };
        let (org, owner) = self.store().system_write(make).await?;
        Ok(Founded { org, owner, key, session })
    }
}

impl Founding {
    /// The same without blanks at the ends, with a slug.
    fn checked(self) -> Result<Self> {
        let trimmed = |text: &str| text.trim().to_owned();
        let (org_name, slug) = (trimmed(&self.org_name), trimmed(&self.slug));
        let slug = if slug.is_empty() { suggest_slug(&org_name) } else { slug };
        let this = Self { org_name, slug, region: trimmed(&self.region), name: trimmed(&self.name), email: trimmed(&self.email), ..self };
        let name = |text: &str| match text.len() {
            0 => Err(Error::invalid("", "Must be given.")),
            1..=200 => Ok(()),
            _ => Err(Error::invalid("", "Must be at most 200 bytes.")),
        };
        let again = if this.password == this.password_again { Ok(()) } else { Err(Error::invalid("", "Must be the same password again.")) };
        let checks = [
            ("org_name", name(&this.org_name)),
            ("slug", check_slug(&this.slug)),
            ("region", this.region.parse::<Region>().map(drop)),
            ("name", name(&this.name)),
            ("email", check_email(&this.email).map(drop)),
            ("password", password::check(&this.password)),
            ("password_again", again),
        ];
        let wrong = checks.into_iter().filter_map(|(field, checked)| {
            let message = checked.err()?.fields().first()?.message.clone();
            Some(Field { name: field.into(), message })
        });
        Error::together(wrong.collect()).map_or(Ok(this), Err)
    }
}

fn void() -> Error {
    let text = "This link is not valid, or was used already. While there is no organisation, the server prints a valid one when it starts.";
    Error::new(Kind::NotFound, "not_found", text)
}

#[cfg(test)]
mod tests {
    use super::Founding;

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let error = Founding { password: "short".to_owned(), ..Founding::default() }.checked().err().unwrap();
        let fields: Vec<_> = error.fields().iter().map(|field| &*field.name).collect();
        assert_eq!(fields, ["org_name", "region", "name", "email", "password", "password_again"]);
    }
}
