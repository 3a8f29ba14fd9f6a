//! What the use cases write down: every change with its before and after, nothing secret, and nothing where nothing changed.

use parlance_app::audit::{Filter, KEPT_MS, Record};
use parlance_app::contact::{Changes as ContactChanges, NewContact};
use parlance_app::conversation::Changes;
use parlance_app::key::KeyRequest;
use parlance_app::page::{PageRequest, Start};
use parlance_app::session::SignIn;
use parlance_app::settings::ProviderChanges;
use parlance_app::staff::NewStaff;
use parlance_model::audit::{Action, ActorKind};
use parlance_model::conversation::Status;
use parlance_model::key::Principal;
use parlance_model::org::SmsProvider;
use parlance_model::place::Place;
use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::{Value, json};

use crate::fixture::{CUSTOMER, Fixture, NUMBER, TOKEN, inbound, sid};

const PAGE: PageRequest = PageRequest { limit: 200, start: Start::Offset(0) };

async fn log(on: &Fixture) -> Vec<Record> {
    on.app.audit(&on.who, Filter::default(), PAGE).await.unwrap().items
}

/// What was written since there were so many rows, oldest first.
async fn since(on: &Fixture, rows: usize) -> Vec<(Action, Value)> {
    let mut log = log(on).await;
    log.truncate(log.len() - rows);
    log.into_iter().rev().map(|record| (record.action.parse().unwrap(), Value::Object(record.details.0))).collect()
}

fn sign_in(email: &str, password: &str) -> SignIn {
    SignIn {
        email: email.into(),
        password: password.into(),
        org: None,
        from: Place::of([192, 0, 2, 1].into()),
        request_id: Some("request-9".into()),
    }
}

both_databases! {
    async fn the_command_line_is_an_actor_of_its_own(database) {
        let on = Fixture::new(database).await;
        let log = log(&on).await;
        let actions: Vec<_> = log.iter().rev().map(|record| record.action.parse::<Action>().unwrap()).collect();
        assert_eq!(actions, [Action::OrgCreate, Action::AccountCreate, Action::KeyCreate]);
        assert!(log.iter().all(|record| record.actor == ActorKind::Command.as_str() && record.user.is_none()));
        let page = on.app.audit(&on.who, Filter::default(), PageRequest { limit: 1, ..PAGE }).await.unwrap();
        assert_eq!((page.items[0].id, page.total, page.next.is_some()), (log[0].id, 3, true));
    }

    async fn a_conversations_changes_have_their_words_and_both_values(database) {
        let on = Fixture::new(database).await;
        on.app.hook(inbound(&sid(1), CUSTOMER, NUMBER, "Hello?")).await.unwrap();
        let rows = log(&on).await.len();
        let sent = on.send("A word that nobody else reads").await.unwrap();
        let id = sent.conversation.id;
        let update = async |changes: Changes| on.app.update(&on.who, id, changes).await.unwrap();
        let status = |status| Changes { status: Some(status), ..Changes::default() };
        for _ in 0..2 {
            on.app.mark_read(&on.who, id).await.unwrap();
            update(status(Status::Closed)).await;
        }
        update(status(Status::Archived)).await;
        update(status(Status::Open)).await;
        let metadata = json!({ "hidden": "value" }).as_object().cloned().unwrap();
        let several = Changes { visitor_name: Some(Some("Jo".into())), metadata: Some(parlance_model::channel::JsonObject(metadata)), ..Changes::default() };
        update(several.clone()).await;
        update(several).await;
        let written = since(&on, rows).await;
        let actions: Vec<_> = written.iter().map(|(action, _)| *action).collect();
        assert_eq!(actions, [
            Action::MessageSend, Action::ConversationRead, Action::ConversationClose, Action::ConversationArchive, Action::ConversationReopen,
            Action::ConversationUpdate,
        ]);
        assert_eq!(written[2].1["changes"]["status"], json!({ "from": "open", "to": "closed" }));
        assert_eq!(written[5].1["changes"], json!({ "visitor_name": { "from": null, "to": "Jo" }, "metadata": { "changed": true } }));
        let all = format!("{written:?}");
        assert!(!all.contains("nobody else reads") && !all.contains("value"), "{all}");
    }

    async fn writing_to_a_new_number_makes_a_contact_and_a_conversation_too(database) {
        let on = Fixture::new(database).await;
        let rows = log(&on).await.len();
        on.send("Hello").await.unwrap();
        on.send("Again").await.unwrap();
        let actions: Vec<_> = since(&on, rows).await.into_iter().map(|(action, _)| action).collect();
        assert_eq!(actions, [Action::ContactCreate, Action::ConversationOpen, Action::MessageSend, Action::MessageSend]);
    }

    async fn contacts_and_opt_outs_are_written_down_once(database) {
        let on = Fixture::new(database).await;
        let rows = log(&on).await.len();
        let new = |name: &str| NewContact { first_name: name.into(), ..NewContact::default() };
        let (ann, ben) = (on.app.create_contact(&on.who, new("Ann")).await.unwrap(), on.app.create_contact(&on.who, new("Ben")).await.unwrap());
        let renamed = ContactChanges { first_name: Some("Anna".into()), phone: Some(Some(CUSTOMER.into())), ..ContactChanges::default() };
        for _ in 0..2 {
            on.app.change_contact(&on.who, ann.contact.id, renamed.clone()).await.unwrap();
            on.app.merge_contacts(&on.who, ann.contact.id, ben.contact.id).await.unwrap();
            on.app.set_opt_out(&on.who, CUSTOMER.into(), true).await.unwrap();
        }
        let written = since(&on, rows).await;
        let actions: Vec<_> = written.iter().map(|(action, _)| *action).collect();
        assert_eq!(actions, [Action::ContactCreate, Action::ContactCreate, Action::ContactUpdate, Action::ContactMerge, Action::OptOutSet]);
        let changes = json!({ "first_name": { "from": "Ann", "to": "Anna" }, "phone": { "from": null, "to": CUSTOMER } });
        assert_eq!((&written[2].1["changes"], &written[3].1["merged_id"]), (&changes, &json!(ben.contact.id.0)));
    }

    async fn no_secret_is_ever_written_down(database) {
        let on = Fixture::new(database).await;
        let rows = log(&on).await.len();
        let owner = NewStaff { email: "olga@example.com".into(), name: "Olga".into(), role: Role::Agent, password: Some("a-made-up-password".into()) };
        let (olga, _) = on.app.add_staff(&on.who, owner).await.unwrap();
        let request = KeyRequest { name: "Bot".into(), user: Some(olga.user.id), dialect: None, scopes: None, expires_ms: None };
        let (key, token) = on.app.add_key(&on.who, request).await.unwrap();
        on.app.revoke_key(&on.who, key.id).await.unwrap();
        let settings = ProviderChanges {
            sms_provider: Some(Some(SmsProvider::Ghl)),
            ghl_api_key: Some(Some("pit-made-up-key".into())),
            ghl_location_id: Some(Some("loc_1".into())),
            twilio_auth_token: Some(Some("another-made-up-token".into())),
            ..ProviderChanges::default()
        };
        for _ in 0..2 {
            on.app.change_providers(&on.who, settings.clone()).await.unwrap();
            on.app.change_staff(&on.who, olga.user.id, Some(Role::Admin), Some("Olga B".into())).await.unwrap();
        }
        on.app.remove_staff(&on.who, olga.user.id).await.unwrap();
        let written = since(&on, rows).await;
        let actions: Vec<_> = written.iter().map(|(action, _)| *action).collect();
        assert_eq!(actions, [
            Action::StaffAdd, Action::KeyCreate, Action::KeyRevoke, Action::AccountUpdate, Action::SettingsUpdate, Action::StaffUpdate, Action::StaffRemove,
        ]);
        assert_eq!(written[3].1, json!({ "changes": { "auth_token": { "changed": true } } }));
        assert_eq!(written[4].1["changes"]["ghl_api_key"], json!({ "changed": true }));
        assert_eq!(written[5].1["changes"]["role"], json!({ "from": "agent", "to": "admin" }));
        let rows = format!("{:?}", log(&on).await);
        for secret in ["a-made-up-password", &token, "pit-made-up-key", "another-made-up-token", TOKEN, "argon2"] {
            assert!(!rows.contains(secret), "{secret}");
        }
    }

    async fn signing_in_and_failing_to_are_seen_in_each_org_of_the_person(database) {
        let on = Fixture::new(database).await;
        on.app.create_org("other", "Other", "US").await.unwrap();
        for org in ["acme", "other"] {
            on.app.create_user(org, "ann@example.com", "Ann", Role::Agent, Some("a-made-up-password".into())).await.unwrap();
        }
        let rows = log(&on).await.len();
        on.app.sign_in(sign_in("ann@example.com", "wrong")).await.unwrap_err();
        while log(&on).await.len() == rows {
            tokio::task::yield_now().await;
        }
        on.app.sign_in(sign_in("nobody@example.com", "wrong")).await.unwrap_err();
        let (token, ..) = on.app.sign_in(sign_in("ann@example.com", "a-made-up-password")).await.unwrap();
        let who = on.app.authenticate_session(&token, Some(on.who.org)).await.unwrap();
        on.app.sign_out(&who).await.unwrap();
        let written = since(&on, rows).await;
        let actions: Vec<_> = written.iter().map(|(action, _)| *action).collect();
        assert_eq!(actions, [Action::SignInFailed, Action::SignIn, Action::SignOut]);
        assert_eq!(written[0].1, json!({ "from": "192.0.2.1" }));
        let rows = log(&on).await;
        let kinds: Vec<_> = rows.iter().take(3).map(|record| (record.actor.parse().unwrap(), record.user, record.subject_id)).collect();
        let ann = who.user.unwrap();
        assert_eq!(kinds, [(ActorKind::Person, Some(ann), ann.0), (ActorKind::Person, Some(ann), ann.0), (ActorKind::Stranger, None, ann.0)]);
        assert_eq!(rows[1].request_id.as_deref(), Some("request-9"));
        let of_other = Principal { org: on.app.org("other").await.unwrap().id, ..on.who.clone() };
        let theirs = on.app.audit(&of_other, Filter { action: Some(Action::SignIn), ..Filter::default() }, PAGE).await.unwrap();
        assert_eq!(theirs.items.len(), 1);
    }

    async fn the_log_is_kept_for_a_year(database) {
        let on = Fixture::new(database).await;
        on.clock.advance_ms(KEPT_MS);
        on.send("Hello").await.unwrap();
        assert_eq!((on.app.sweep_audit().await.unwrap(), log(&on).await.len()), (0, 6));
        on.clock.advance_ms(1);
        assert_eq!((on.app.sweep_audit().await.unwrap(), log(&on).await.len()), (3, 3));
    }
}
