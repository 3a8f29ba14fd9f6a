//! What is kept beside conversations: contacts, opt-outs, staff, keys, sessions, requests, the audit log, the org's own settings.

use parlance_model::audit::{Act, Action, Actor};
use parlance_model::contact::{Identity, IdentityKind};
use parlance_model::id::{ContactId, UserId};
use parlance_model::key::{Scope, Scopes};
use parlance_model::opt_out::OptSource;
use parlance_model::role::Role;
use parlance_store::idempotency::{self, IdempotencyKey};
use parlance_store::key::NewKey;
use parlance_store::{audit, contact, job, key, opt_out, org, session, staff, user};

use super::side::{Begun, Side, ended};
use super::threads::NUMBERS;
use crate::dice::Dice;
use crate::fixture::{identity, phone};

pub(super) const EMAILS: [&str; 4] = ["ann@example.com", "bob@example.com", "zoe@example.org", "x_y%z@example.org"];
const NAMES: [&str; 6] = ["Ann", "Bob", "Zoë", "", "Ærøskøbing", "o'Neill_%"];
const ROLES: [Role; 3] = [Role::Owner, Role::Admin, Role::Agent];

impl Side {
    pub(super) async fn keep(&mut self, dice: &Dice) -> String {
        match dice.below(16) {
            0..=2 => self.make_contact(dice).await,
            3..=4 => self.change_contact(dice).await,
            5 => self.merge(dice).await,
            6 => self.opt(dice).await,
            7..=8 => self.staff(dice).await,
            9 => self.user(dice).await,
            10 => self.key(dice).await,
            11 => self.session(dice).await,
            12..=13 => self.request(dice).await,
            14 => self.audit(dice).await,
            _ => self.org(dice).await,
        }
    }

    async fn make_contact(&mut self, dice: &Dice) -> String {
        let details =
            contact::Details { first_name: dice.pick(&NAMES).unwrap().to_owned(), last_name: dice.pick(&NAMES).unwrap().to_owned() };
        let mut identities: Vec<Identity> = dice.pick(&NUMBERS).filter(|_| dice.chance(3)).into_iter().map(identity).collect();
        identities.extend(dice.pick(&EMAILS).filter(|_| dice.chance(3)).map(Identity::email));
        let result = self.write(move |tx| contact::create(tx, &details, &identities)).await;
        self.contacts.extend(result.iter().map(|made| made.id));
        ended("make contact", &result)
    }

    async fn contact(&mut self, dice: &Dice) -> Option<ContactId> {
        let number = identity(dice.pick(&NUMBERS).unwrap());
        let known = self.f.read(move |tx| contact::by_identity(tx, &number)).await.unwrap();
        known.filter(|_| dice.chance(2)).or_else(|| dice.pick(&self.contacts))
    }

    async fn change_contact(&mut self, dice: &Dice) -> String {
        let Some(id) = self.contact(dice).await else { return "no contact".to_owned() };
        let changes = contact::Changes {
            first_name: dice.maybe(&NAMES).map(str::to_owned),
            last_name: dice.maybe(&NAMES).map(str::to_owned),
            phone: dice.chance(4).then(|| dice.maybe(&NUMBERS).map(phone)),
            email: dice.chance(4).then(|| dice.maybe(&EMAILS).map(str::to_owned)),
        };
        ended("change contact", &self.write(move |tx| contact::change(tx, id, &changes)).await)
    }

    async fn merge(&mut self, dice: &Dice) -> String {
        let (Some(one), Some(other)) = (self.contact(dice).await, self.contact(dice).await) else { return "nobody".to_owned() };
        ended("merge", &self.write(move |tx| contact::merge(tx, one, other)).await)
    }

    async fn opt(&mut self, dice: &Dice) -> String {
        let (whom, out) = (identity(dice.pick(&NUMBERS).unwrap()), dice.chance(2));
        let source = dice.pick(OptSource::ALL).unwrap();
        let written = self.write(move |tx| opt_out::set(tx, &whom, out, source)).await;
        ended("opt", &written.map(|id| id.map(|id| format!("opt_{id}"))))
    }

    async fn staff(&mut self, dice: &Dice) -> String {
        let (name, role) = (dice.pick(&NAMES).unwrap(), dice.pick(&ROLES).unwrap());
        match (dice.below(5), dice.pick(&self.users)) {
            (0, Some(id)) => ended("set role", &self.write(move |tx| staff::set_role(tx, id, role)).await),
            (1, Some(id)) => ended("rename", &self.write(move |tx| staff::rename(tx, id, name)).await),
            (2, Some(id)) => ended("remove", &self.write(move |tx| staff::remove(tx, id)).await),
            _ => {
                let email = dice.pick(&EMAILS).unwrap();
                let result = self.write(move |tx| staff::add(tx, email, name, role, "no-hash")).await;
                let new: Vec<UserId> = result.iter().map(|added| added.user).filter(|id| !self.users.contains(id)).collect();
                self.users.extend(new);
                ended("add staff", &result)
            }
        }
    }

    async fn user(&mut self, dice: &Dice) -> String {
        let Some(id) = dice.pick(&self.users) else { return "no user".to_owned() };
        match dice.below(3) {
            0 => ended("password", &self.system(move |tx| user::set_password(tx, id, "other-hash")).await),
            1 => ended("enable", &self.system(move |tx| user::enable(tx, id)).await),
            _ => ended("disable", &self.system(move |tx| user::get(tx, id).and_then(|found| user::disable(tx, &found))).await),
        }
    }

    async fn key(&mut self, dice: &Dice) -> String {
        let token = format!("plk_not-a-real-token-{}", self.keys.len());
        match (dice.below(4), dice.pick(&self.keys)) {
            (0, Some((id, _))) => ended("revoke", &self.write(move |tx| key::revoke(tx, id)).await),
            (1, Some((id, _))) => ended("use", &self.system(move |tx| key::used(tx, id)).await),
            _ => {
                let new = NewKey {
                    user: dice.maybe(&self.users),
                    name: dice.pick(&NAMES).unwrap().to_owned(),
                    dialect: None,
                    scopes: Scope::ALL.iter().copied().filter(|_| dice.chance(2)).collect::<Scopes>(),
                    expires_ms: dice.maybe(&[self.f.store.now_ms() + dice.below(1_000_000)]),
                };
                let kept = token.clone();
                let result = self.write(move |tx| key::create(tx, &new, &token)).await;
                self.keys.extend(result.iter().map(|id| (*id, kept.clone())));
                ended("make key", &result)
            }
        }
    }

    async fn session(&mut self, dice: &Dice) -> String {
        let (token, org) = (format!("not-a-real-cookie-{}", self.sessions.len()), self.f.org);
        match (dice.below(5), dice.pick(&self.sessions), dice.pick(&self.users)) {
            (0, Some((id, _)), _) => ended("end session", &self.system(move |tx| session::end(tx, id)).await),
            (1, Some((id, _)), _) => ended("slide", &self.system(move |tx| session::slide(tx, id)).await),
            (2, ..) => ended("sweep sessions", &self.system(session::sweep).await),
            (_, _, Some(user)) => {
                let (of, kept) = (dice.chance(2).then_some(org), token.clone());
                let result = self.system(move |tx| session::create(tx, user, of, &token)).await;
                self.sessions.extend(result.iter().map(|id| (*id, kept.clone())));
                ended("sign in", &result)
            }
            _ => "nobody signs in".to_owned(),
        }
    }

    async fn request(&mut self, dice: &Dice) -> String {
        let Some((of, _)) = self.keys.first().cloned() else { return "no key".to_owned() };
        let asked_ms = self.f.store.now_ms() - dice.below(9000);
        if let Some(Begun { value, run }) = dice.pick(&self.requests).filter(|_| !dice.chance(3)) {
            let (key, message) = (IdempotencyKey { key: of, value }, dice.pick(&self.messages));
            return match (dice.below(4), message) {
                (0, Some(id)) => ended("made", &self.write(move |tx| idempotency::made(tx, &key, id)).await),
                (1, _) => ended("answered", &self.write(move |tx| idempotency::answered(tx, &key, run, 201, b"{\0}")).await),
                (2, _) => ended("abandon", &self.write(move |tx| idempotency::abandon(tx, &key, run)).await),
                _ => ended("go on", &self.write(move |tx| idempotency::go_on(tx, &key, run)).await),
            };
        }
        if dice.chance(9) {
            return ended("sweep requests", &self.system(idempotency::sweep).await);
        }
        let (value, hash) = (format!("request {}", dice.below(12)), [u8::try_from(dice.below(2)).unwrap(); 32]);
        let key = IdempotencyKey { key: of, value: value.clone() };
        let result = self.write(move |tx| idempotency::begin(tx, &key, &hash, asked_ms)).await;
        if let Ok(idempotency::Begun::Run(run)) = result {
            self.requests.push(Begun { value, run });
        }
        ended("begin request", &result)
    }

    async fn audit(&mut self, dice: &Dice) -> String {
        let before_ms = self.f.store.now_ms() - 300_000;
        if dice.chance(5) {
            return ended("sweep audit", &self.write(move |tx| audit::sweep(tx, before_ms)).await);
        }
        let actor = dice.maybe(&self.users).map_or(Actor::COMMAND, |user| Actor::person(user, Some("request".into())));
        let actor = Actor { key: dice.maybe(&self.keys).map(|(id, _)| id), ..actor };
        let action = dice.pick(Action::ALL).unwrap();
        let act = match dice.pick(&self.conversations) {
            Some(id) => Act::new(action, id).changed("status", "open", "closed"),
            None => Act::new(action, self.f.org).with("name", "Zoë"),
        };
        ended("audit", &self.f.store.write_as(self.f.org, actor, move |tx| tx.audit(&act)).await)
    }

    async fn org(&mut self, dice: &Dice) -> String {
        match dice.below(5) {
            0 => ended("provider", &self.write(|tx| org::set_sms_provider(tx, None)).await),
            1 => ended("default provider", &self.write(|tx| org::default_sms_provider(tx, "twilio")).await),
            2 => {
                let ghl = org::Ghl { api_key: dice.maybe(&["not-a-real-key".to_owned()]), location_id: dice.maybe(&["place".to_owned()]) };
                ended("ghl", &self.write(move |tx| org::set_ghl(tx, &ghl)).await)
            }
            3 => ended("follow switch", &self.write(job::follow_switch).await),
            _ => {
                let off = dice.chance(4);
                ended("switch", &self.write(move |tx| org::set_disabled(tx, off)).await)
            }
        }
    }
}

/// Every identity that operations use.
pub(super) fn identities() -> Vec<Identity> {
    let emails = EMAILS.map(|value| Identity { kind: IdentityKind::Email, value: value.to_owned() });
    NUMBERS.map(identity).into_iter().chain(emails).collect()
}
