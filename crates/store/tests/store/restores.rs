//! Restores that fail, and what a restore writes down: after each failure database and folder are as they were.

use std::collections::BTreeMap;
use std::path::Path;

use parlance_model::audit::{Action, ActorKind};
use parlance_store::backup::Target;
use parlance_store::{Place, audit};
use parlance_testkit::{Database, both_databases};

use crate::backups::{Elsewhere, back_up, filled};
use crate::fixture::code;
use crate::raw::Raw;

/// Every file below a folder with its content.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path.display().to_string(), std::fs::read(&path).unwrap())),
            }
        }
    }
    found
}

/// A folder in which a restore is in the way of something.
fn in_use(folder: &Path) {
    std::fs::create_dir(folder.join("media")).unwrap();
    std::fs::write(folder.join("media/mine"), "mine").unwrap();
    std::fs::write(folder.join("secret.key"), "08".repeat(32)).unwrap();
}

both_databases! {
    async fn a_file_that_is_not_whole_leaves_a_folder_in_use_as_it_was(database) {
        let (f, folder) = filled(database).await;
        let (file, _) = back_up(&f.place, folder.path()).unwrap();
        let there = Elsewhere::new(database);
        in_use(there.folder.path());
        let before = files(there.folder.path());
        let target = Target { force: true, ..there.target() };
        // The seal is the last entry; before it, everything else was read and put down.
        let unpacked = zstd::decode_all(file.as_slice()).unwrap();
        let mut altered = unpacked.clone();
        let sum = unpacked.windows(8).rposition(|window| window == b"\"sha256\"").unwrap() + 12;
        altered[sum] = if altered[sum] == b'0' { b'1' } else { b'0' };
        for (what, file, expected) in [
            ("cut", file[..file.len() - 3].to_vec(), "backup_cut_short"),
            ("with half of its end", zstd::encode_all(&unpacked[..sum], 3).unwrap(), "backup_damaged"),
            ("another sum", zstd::encode_all(altered.as_slice(), 3).unwrap(), "backup_damaged"),
        ] {
            assert_eq!(code(there.restore_as(&file, &target)), expected, "{what}");
            assert!(files(there.folder.path()) == before, "{what}: {:?}", files(there.folder.path()).keys());
        }
        let restored = there.restore_as(&file, &target).unwrap();
        assert_eq!(std::fs::read_to_string(restored.replaced.unwrap().join("media/mine")).unwrap(), "mine");
    }

    async fn each_orgs_audit_log_says_that_it_was_restored_and_from_what(database) {
        let (f, folder) = filled(database).await;
        f.send("+15551110002", "waits").await;
        let (file, _) = back_up(&f.place, folder.path()).unwrap();
        for (keep_sending, unknown) in [(true, 0), (false, 1)] {
            let there = Elsewhere::new(database);
            let restored = there.restore_as(&file, &Target { keep_sending, ..there.target() }).unwrap();
            let store = there.store().await;
            for org in store.system_read(parlance_store::org::all).await.unwrap() {
                let filter = audit::Filter { action: Some(Action::OrgRestore), ..audit::Filter::default() };
                let written = store.read(org.id, move |tx| audit::list(tx, &filter, None, 10)).await.unwrap();
                let [record] = written.as_slice() else { panic!("{written:?}") };
                assert_eq!((record.actor.as_str(), record.subject_id), (ActorKind::Command.as_str(), org.id.0));
                let details = serde_json::Value::Object(record.details.0.clone());
                assert_eq!(details["backup_created_at"], restored.created_at);
                assert_eq!((details["database"].as_str(), details["parlance"].as_str()), (Some(f.place.kind()), Some(env!("CARGO_PKG_VERSION"))));
                assert_eq!(details["unknown_messages"], if org.id == f.org { unknown } else { 0 });
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_refuses_to_commit_leaves_the_folder_as_it_was() {
    let (f, folder) = filled(Database::Sqlite).await;
    let (file, _) = back_up(&f.place, folder.path()).unwrap();
    let there = Elsewhere::new(Database::Postgres);
    in_use(there.folder.path());
    let before = files(there.folder.path());
    let raw = Raw::new(&there.place);
    raw.run(
        "",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
         CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
             IF to_regclass('installation') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'refuse') THEN
                 CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON installation DEFERRABLE INITIALLY DEFERRED
                     FOR EACH ROW EXECUTE FUNCTION refuse();
             END IF;
         END $$;
         CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION watch()",
    );
    let target = Target { force: true, ..there.target() };
    assert_eq!(code(there.restore_as(&file, &target)), "internal");
    assert!(files(there.folder.path()) == before, "{:?}", files(there.folder.path()).keys());
    assert!(
        matches!(&there.place, Place::Postgres { .. }) && raw.value("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'") == "0"
    );
    raw.run("", "DROP EVENT TRIGGER watch");
    assert_eq!(there.restore_as(&file, &target).unwrap().media_files, 2);
    assert!(files(there.folder.path()).keys().any(|name| name.ends_with("media/ab/one")));
}
