//! Signing in and out, and who a cookie speaks for.

use std::hash::Hash;
use std::sync::Arc;

use parlance_model::audit::{Act, Action, Actor};
use parlance_model::error::Kind;
use parlance_model::id::{OrgId, UserId};
use parlance_model::key::{Credential, Key, Principal, Scope, Scopes};
use parlance_model::org::{Org, User, check_email};
use parlance_model::place::Place;
use parlance_model::role::Role;
use parlance_model::{Error, Result};
use parlance_store::recent::Found;
use parlance_store::{SystemTx, key, org, session, staff, user};

use crate::failures::Failures;
use crate::{App, password};

/// How long a session lasts after its last use, in seconds.
pub const LASTS_S: i64 = session::LASTS_MS / 1000;

/// Failed sign-ins of one e-mail address from one network before more are refused, and the window they count in, in milliseconds.
const FAILURES: u32 = 5;
const WINDOW_MS: i64 = 15 * 60 * 1000;

/// The hash of no password that anybody has, with the cost of every other: checked for users who are not there.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whose a cookie is, in which org, and what they are there.
pub(crate) type Owner = (session::Session, OrgId, Role);

/// What somebody signs in with.
#[derive(Clone)]
pub struct SignIn {
    /// Who.
    pub email: String,
    /// Their password.
    pub password: String,
    /// The slug of the org that they mean; needed for nothing when they have only one.
    pub org: Option<String>,
    /// Where they call from, as far as it is known.
    pub from: Place,
    /// The id of the request.
    pub request_id: Option<Arc<str>>,
}

/// Who the caller is.
#[derive(Debug, Clone)]
pub struct Me {
    /// The person; `None` for a key without one.
    pub user: Option<User>,
    /// The key, where one was shown.
    pub key: Option<Key>,
    /// The org of the request.
    pub org: Org,
    /// What the caller is there.
    pub role: Role,
    /// The person's orgs; of a key, the one that it opens.
    pub orgs: Vec<(Org, Role)>,
}

impl App {
    /// Signs a person in. Answers the cookie's token, and who they are.
    ///
    /// # Errors
    /// `wrong_credentials`, whatever was wrong; `too_many_failures`; `user_disabled` and `org_disabled`, with the right password.
    pub async fn sign_in(&self, given: SignIn) -> Result<(String, User, Vec<(Org, Role)>)> {
        let email = check_email(&given.email)?;
        let name = (email.clone(), given.from.network());
        let now_ms = self.store().system_read(|tx| Ok(tx.now_ms())).await?;
        // Counted before the check, so that attempts side by side are counted too; given back when it was right.
        self.0.wrong_passwords.count(&name, now_ms).map_err(too_many)?;
        let found = self.store().system_read(move |tx| staff::password_hash(tx, &email)).await?;
        let known = found.as_ref().map(|(user, _)| *user);
        let right = verify(found, given.password.clone()).await?;
        let begun = match right {
            Some(user) => self.begin_session(user, &given).await,
            None => Err(wrong()),
        };
        if let (Err(error), Some(user)) = (&begun, known)
            && error.kind() == Kind::Unauthenticated
        {
            self.note_failure(user, given);
        }
        if begun.is_ok() {
            self.0.wrong_passwords.forget(&name);
        }
        begun
    }

    async fn begin_session(&self, user: UserId, given: &SignIn) -> Result<(String, User, Vec<(Org, Role)>)> {
        let (slug, token) = (given.org.clone(), session::new_token(self.0.entropy.as_ref()));
        let (kept, actor) = (token.clone(), Actor::person(user, given.request_id.clone()));
        let act = Act::new(Action::SignIn, user).with("from", given.from.to_string());
        let begin = move |tx: &mut SystemTx<'_, '_>| {
            let orgs = staff::orgs(tx, user, None)?;
            let person = user::get(tx, user)?;
            if person.disabled_ms.is_some() {
                return Err(user::disabled());
            }
            let meant = meant(&orgs, slug.as_deref())?;
            let orgs = open(orgs);
            session::create(tx, user, meant, &kept)?;
            // The session opens each of them.
            orgs.iter().try_for_each(|(org, _)| tx.audit(org.id, &actor, &act))?;
            Ok((person, orgs))
        };
        let (user, orgs) = self.store().system_write(begin).await?;
        Ok((token, user, orgs))
    }

    /// Writes down that somebody failed to sign in as this person, behind the request's back: an answer that took longer would
    /// tell that there is such a person. How many there can be is limited by [`Failures`].
    fn note_failure(&self, user: UserId, given: SignIn) {
        let app = self.clone();
        self.tasks().spawn(async move {
            let (actor, act) =
                (Actor::stranger(given.request_id), Act::new(Action::SignInFailed, user).with("from", given.from.to_string()));
            let write = move |tx: &mut SystemTx<'_, '_>| {
                staff::orgs(tx, user, None)?.iter().try_for_each(|(org, _)| tx.audit(org.id, &actor, &act))
            };
            if let Err(error) = app.store().system_write(write).await {
                tracing::warn!(?error, %user, "a failed sign-in could not be written down");
            }
        });
    }

    /// Finds the caller behind a cookie: the person, in the org that the request names, else in the one named at sign-in,
    /// else in their only one.
    ///
    /// # Errors
    /// `unauthenticated`; `not_in_org`; `org_disabled`; `org_needed`.
    pub async fn authenticate_session(&self, token: &str, named: Option<OrgId>) -> Result<Principal> {
        let (name, token) = ((key::hash(token), named), token.to_owned());
        let find = move |tx: &mut SystemTx<'_, '_>| {
            let found = session::find(tx, &token)?.ok_or_else(signed_out)?;
            let org = match named.or(found.org) {
                Some(org) => org,
                None => only_org(&session::orgs(tx, found.user)?)?,
            };
            let role = session::role(tx, found.user, org)?.ok_or_else(not_in_org)?;
            Ok(Found { until_ms: Some(found.expires_ms), value: (found, org, role) })
        };
        let (found, org, role) = self.0.sessions.get(self.store(), name, find).await?;
        if found.slide {
            self.store().system_write(move |tx| session::slide(tx, found.id)).await?;
        }
        let credential = Credential::Session(found.id);
        // A person at their own desk may do whatever their role allows, and make keys for assistants.
        let scopes = Scopes::FULL.with(Scope::Assistant);
        Ok(Principal { org, credential, user: Some(found.user), role, scopes, dialect: None, request_id: None })
    }

    /// Ends the caller's session. A key has none.
    ///
    /// # Errors
    /// `no_session`.
    pub async fn sign_out(&self, who: &Principal) -> Result<()> {
        match who.credential {
            Credential::Session(id) => {
                let (user, actor) = (who.user, who.actor());
                let end = move |tx: &mut SystemTx<'_, '_>| {
                    session::end(tx, id)?;
                    let Some(user) = user else { return Ok(()) };
                    let act = Act::new(Action::SignOut, user);
                    staff::orgs(tx, user, None)?.iter().try_for_each(|(org, _)| tx.audit(org.id, &actor, &act))
                };
                self.store().system_write(end).await
            }
            Credential::Key(_) => {
                let text = "This request shows a key, not the cookie of a session. DELETE /keys/{id} ends a key.";
                Err(Error::refused("no_session", text))
            }
        }
    }

    /// Who the caller is, and where.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn me(&self, who: &Principal) -> Result<Me> {
        let key = match who.credential {
            Credential::Key(id) => Some(self.store().read(who.org, move |tx| key::get(tx, id)).await?),
            Credential::Session(_) => None,
        };
        let org = self.store().read(who.org, org::current).await?;
        let (id, role) = (who.user, who.role);
        // A key was perhaps made by somebody else, whom the person's other orgs do not concern.
        let only = key.is_some().then_some(who.org);
        let person = move |tx: &mut SystemTx<'_, '_>| match id {
            Some(id) => Ok((Some(user::get(tx, id)?), open(staff::orgs(tx, id, only)?))),
            None => Ok((None, Vec::new())),
        };
        let (user, mut orgs) = self.store().system_read(person).await?;
        if user.is_none() {
            orgs = vec![(org.clone(), role)];
        }
        Ok(Me { user, key, org, role, orgs })
    }
}

/// Counts failed sign-ins, and in the same measure wrong tokens of the first run.
pub(crate) fn failures<K: Hash + Eq + Clone>() -> Failures<K> {
    Failures::new(FAILURES, WINDOW_MS)
}

/// Checks the password on a thread of its own. Takes as long for a user who is not there.
async fn verify(found: Option<(UserId, String)>, given: String) -> Result<Option<UserId>> {
    let check = move || {
        let right = password::verify(&given, found.as_ref().map_or(NOBODY, |(_, hash)| hash));
        found.filter(|_| right).map(|(user, _)| user)
    };
    password::apart(check).await
}

/// The org that somebody names who signs in, where they name one.
fn meant(orgs: &[(Org, Role)], slug: Option<&str>) -> Result<Option<OrgId>> {
    let named: Vec<_> = orgs.iter().map(|(org, _)| org).filter(|org| slug.is_none_or(|slug| org.slug == slug)).collect();
    match named.iter().find(|org| org.disabled_ms.is_none()) {
        Some(org) => Ok(slug.map(|_| org.id)),
        None if named.is_empty() => Err(wrong()),
        None => Err(org::disabled()),
    }
}

/// The orgs that can be entered.
fn open(orgs: Vec<(Org, Role)>) -> Vec<(Org, Role)> {
    orgs.into_iter().filter(|(org, _)| org.disabled_ms.is_none()).collect()
}

fn only_org(orgs: &[OrgId]) -> Result<OrgId> {
    match orgs {
        [only] => Ok(*only),
        [] => Err(signed_out()),
        _ => Err(Error::new(Kind::Malformed, "org_needed", "You work in several organisations. Name one in the header X-Org-Id.")),
    }
}

fn wrong() -> Error {
    let text = "E-mail address, password or organisation is wrong. An admin of your organisation can help.";
    Error::new(Kind::Unauthenticated, "wrong_credentials", text)
}

pub(crate) fn too_many(wait_s: u32) -> Error {
    let text = "Too many failed tries. Wait, and try again.";
    Error::new(Kind::RateLimited, "too_many_failures", text).with_retry_after(wait_s)
}

fn signed_out() -> Error {
    Error::new(Kind::Unauthenticated, "unauthenticated", "You are not signed in any more. POST /api/v1/session signs in.")
}

fn not_in_org() -> Error {
    Error::new(Kind::Forbidden, "not_in_org", "You do not work in this organisation. GET /api/v1/me lists those where you do.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_for_nobody_costs_what_every_check_costs() {
        let parameters = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        let real = password::hash("correct horse battery", &parlance_model::entropy::SeededEntropy::new(1)).unwrap();
        assert_eq!(parameters(NOBODY), parameters(&real));
        assert!(!password::verify("", NOBODY));
    }
}
