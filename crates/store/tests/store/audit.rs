//! The audit log: written with the change or not at all, read newest first, swept when it has aged.

use std::sync::Arc;

use parlance_model::audit::{Act, Action, Actor, ActorKind, Subject, SubjectKind};
use parlance_model::id::{AccountId, ConversationId, KeyId, OrgId, UserId};
use parlance_model::opt_out::OptSource;
use parlance_model::role::Role;
use parlance_store::audit::{self, After, Filter, Record};
use parlance_store::key::{self, NewKey};
use parlance_store::{opt_out, org, staff};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS, code, identity, refused};

const PEER: &str = "+15551110001";

fn person(user: i64) -> Actor {
    Actor::person(UserId(user), Some(Arc::from("request-1")))
}

fn closed(id: i64) -> Act {
    Act::new(Action::ConversationClose, ConversationId(id)).changed("status", "open", "closed")
}

async fn write(f: &Fixture, actor: Actor, act: Act) {
    f.store.write_as(f.org, actor, move |tx| tx.audit(&act)).await.unwrap();
}

async fn list(f: &Fixture, filter: Filter) -> Vec<Record> {
    f.read(move |tx| audit::list(tx, &filter, None, 100)).await.unwrap()
}

/// Whether the row tells this, by this actor.
fn tells(row: &Record, actor: &Actor, act: &Act) -> bool {
    let who = row.actor == actor.kind.as_str()
        && (row.user, row.key, row.request_id.as_deref()) == (actor.user, actor.key, actor.request_id.as_deref());
    let what =
        (row.action.as_str(), row.subject.as_str(), row.subject_id) == (act.action.as_str(), act.subject.kind.as_str(), act.subject.id);
    who && what && row.details == act.details
}

fn ids(records: &[Record]) -> Vec<i64> {
    records.iter().map(|record| record.id).collect()
}

both_databases! {
    async fn a_row_says_who_did_what_when_and_from_what_to_what(database) {
        let f = Fixture::new(database).await;
        let ann = f.write(|tx| staff::add(tx, "ann@example.com", "Ann", Role::Agent, "hash")).await.unwrap().user;
        let new = NewKey { user: Some(ann), name: "Bot".into(), dialect: None, scopes: parlance_model::key::Scopes::FULL, expires_ms: None };
        let key = f.write(move |tx| key::create(tx, &new, "plk_test_one")).await.unwrap();
        let actor = Actor { kind: ActorKind::Key, key: Some(key), ..person(ann.0) };
        write(&f, actor.clone(), closed(7)).await;
        let row = list(&f, Filter::default()).await.remove(0);
        assert!(row.at_ms == START_MS && tells(&row, &actor, &closed(7)), "{row:?}");
        assert_eq!((row.user_name.as_deref(), row.key_name.as_deref()), (Some("Ann"), Some("Bot")));
        // Names that are gone leave the ids.
        f.raw().execute("DELETE FROM api_key");
        write(&f, Actor::COMMAND, closed(8)).await;
        let rows = list(&f, Filter::default()).await;
        assert!(tells(&rows[0], &Actor::COMMAND, &closed(8)), "{rows:?}");
        assert_eq!((rows[1].key, rows[1].key_name.as_deref()), (Some(key), None));
    }

    async fn words_of_a_newer_version_are_listed_as_they_are(database) {
        let f = Fixture::new(database).await;
        write(&f, person(1), closed(7)).await;
        f.raw().execute("UPDATE audit SET actor = 'robot', action = 'call.record', subject = 'call'");
        let row = list(&f, Filter { user: Some(UserId(1)), ..Filter::default() }).await.remove(0);
        assert_eq!((row.actor.as_str(), row.action.as_str(), row.subject.as_str(), row.subject_id), ("robot", "call.record", "call", 7));
    }

    async fn a_change_and_its_row_are_there_together_or_not_at_all(database) {
        let f = Fixture::new(database).await;
        let change = |fails: bool| {
            f.store.write_as(f.org, person(1), move |tx| {
                let id = opt_out::set(tx, &identity(PEER), true, OptSource::Staff)?.unwrap_or_default();
                tx.audit(&Act::new(Action::OptOutSet, Subject { kind: SubjectKind::OptOut, id }))?;
                if fails { Err(refused()) } else { Ok(()) }
            })
        };
        assert_eq!(code(change(true).await), "test_refused");
        assert_eq!((list(&f, Filter::default()).await.len(), f.raw().value("SELECT COUNT(*) FROM opt_out").as_str()), (0, "0"));
        change(false).await.unwrap();
        assert_eq!((list(&f, Filter::default()).await.len(), f.raw().value("SELECT COUNT(*) FROM opt_out").as_str()), (1, "1"));
    }

    async fn a_change_that_is_not_written_down_is_not_committed(database) {
        let f = Fixture::new(database).await;
        let silent = f.store.write_as(f.org, person(1), |tx| opt_out::set(tx, &identity(PEER), true, OptSource::Staff));
        assert_eq!(code(silent.await), "internal");
        let silent = f.store.write_as(f.org, person(1), |tx| org::set_sms_provider(tx, Some("twilio")));
        assert_eq!(code(silent.await), "internal");
        assert_eq!(f.raw().value("SELECT COUNT(*) FROM opt_out"), "0");
        // What changes nothing needs no row, and nobody's own work writes none.
        f.store.write_as(f.org, person(1), |tx| opt_out::set(tx, &identity(PEER), false, OptSource::Staff)).await.unwrap();
        f.write(|tx| opt_out::set(tx, &identity(PEER), true, OptSource::Keyword)).await.unwrap();
        assert_eq!(code(f.write(|tx| tx.audit(&closed(1))).await), "internal");
        assert_eq!(list(&f, Filter::default()).await.len(), 0);
    }

    async fn each_facet_narrows_alone_and_with_the_others(database) {
        let f = Fixture::new(database).await;
        let key = |key: i64, user: Option<i64>| Actor { kind: ActorKind::Key, user: user.map(UserId), key: Some(KeyId(key)), request_id: None };
        let renamed = Act::new(Action::AccountUpdate, AccountId(7)).changed("name", "a", "b");
        for (actor, act) in [(person(1), closed(7)), (person(2), closed(8)), (key(5, Some(1)), renamed.clone()), (key(5, None), closed(7)), (Actor::COMMAND, renamed)] {
            write(&f, actor, act).await;
            f.clock.advance_ms(1000);
        }
        let all = ids(&list(&f, Filter::default()).await);
        let (user, key) = (Some(UserId(1)), Some(KeyId(5)));
        let subject = |kind, id| Some(Subject { kind, id });
        let at = |step: i64| Some(START_MS + step * 1000);
        for (filter, expected) in [
            (Filter::default(), vec![4, 3, 2, 1, 0]),
            (Filter { user, ..Filter::default() }, vec![2, 0]),
            (Filter { key, ..Filter::default() }, vec![3, 2]),
            (Filter { key, user, ..Filter::default() }, vec![2]),
            (Filter { action: Some(Action::ConversationClose), ..Filter::default() }, vec![3, 1, 0]),
            (Filter { action: Some(Action::ConversationClose), user, ..Filter::default() }, vec![0]),
            (Filter { subject: subject(SubjectKind::Conversation, 7), ..Filter::default() }, vec![3, 0]),
            (Filter { subject: subject(SubjectKind::Account, 7), key, ..Filter::default() }, vec![2]),
            (Filter { subject: subject(SubjectKind::Conversation, 7), user, ..Filter::default() }, vec![0]),
            (Filter { subject: subject(SubjectKind::Account, 7), action: Some(Action::AccountUpdate), ..Filter::default() }, vec![4, 2]),
            (Filter { action: Some(Action::AccountUpdate), key, ..Filter::default() }, vec![2]),
            (Filter { action: Some(Action::ConversationClose), key, user, ..Filter::default() }, vec![]),
            (Filter { subject: subject(SubjectKind::Account, 7), action: Some(Action::ConversationClose), key, user, ..Filter::default() }, vec![]),
            (Filter { subject: subject(SubjectKind::Contact, 7), ..Filter::default() }, vec![]),
            (Filter { from_ms: at(3), ..Filter::default() }, vec![4, 3]),
            (Filter { until_ms: at(1), ..Filter::default() }, vec![0]),
            (Filter { from_ms: at(1), until_ms: at(3), key, ..Filter::default() }, vec![2]),
        ] {
            let expected: Vec<i64> = expected.into_iter().map(|index: usize| all[all.len() - 1 - index]).collect();
            assert_eq!(ids(&list(&f, filter.clone()).await), expected, "{filter:?}");
            assert_eq!(f.read(move |tx| audit::total(tx, &filter)).await.unwrap().n, expected.len() as i64);
        }
    }

    async fn pages_meet_and_leave_nothing_out(database) {
        let f = Fixture::new(database).await;
        for number in 0..7 {
            write(&f, person(1), closed(number)).await;
            f.clock.advance_ms(number % 2);
        }
        let all = ids(&list(&f, Filter::default()).await);
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = f.read(move |tx| audit::list(tx, &Filter { user: Some(UserId(1)), ..Filter::default() }, after, 3)).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(After { at_ms: last.at_ms, id: last.id });
            seen.extend(ids(&page));
        }
        assert_eq!(seen, all);
    }

    async fn another_orgs_rows_are_in_no_list_and_in_no_sweep(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        write(&f, person(1), closed(7)).await;
        assert_eq!(f.store.read(other, |tx| audit::list(tx, &Filter::default(), None, 10)).await.unwrap().len(), 0);
        assert_eq!(f.store.write(other, |tx| audit::sweep(tx, i64::MAX)).await.unwrap(), 0);
        assert_eq!(list(&f, Filter::default()).await.len(), 1);
    }

    async fn the_directory_writes_into_the_org_that_is_named(database) {
        let f = Fixture::new(database).await;
        let into: OrgId = f.org;
        f.system_write(move |tx| tx.audit(into, &person(3), &Act::new(Action::SignIn, UserId(3)))).await.unwrap();
        let rows = list(&f, Filter::default()).await;
        assert_eq!((rows.len(), rows[0].action.as_str(), rows[0].user), (1, Action::SignIn.as_str(), Some(UserId(3))));
    }

    async fn a_sweep_takes_what_is_older_a_thousand_at_a_time(database) {
        let f = Fixture::new(database).await;
        f.store.write_as(f.org, person(1), |tx| (0..1001).try_for_each(|number| tx.audit(&closed(number)))).await.unwrap();
        f.clock.advance_ms(1);
        write(&f, person(1), closed(5000)).await;
        let sweep = async || f.write(|tx| audit::sweep(tx, START_MS + 1)).await.unwrap();
        assert_eq!((sweep().await, sweep().await, sweep().await), (1000, 1, 0));
        assert!(tells(&list(&f, Filter::default()).await[0], &person(1), &closed(5000)));
    }
}
