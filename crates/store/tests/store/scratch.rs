//! The room that a copy of the embedded database takes: asked for before, and given back after a crash.

use parlance_store::backup::{self, Source};
use parlance_store::watch::Unwatched;
use parlance_store::{Place, doctor};
use parlance_testkit::Database;

use crate::fixture::{Fixture, code, setup};
use crate::raw::apart;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_does_not_fit_is_refused_before_anything_is_written() {
    let f = Fixture::new(Database::Sqlite).await;
    let Place::Sqlite { data, .. } = &f.place else { panic!("not SQLite") };
    let folder = tempfile::tempdir().unwrap();
    // A hole: it takes no room itself. What a killed run left is taken away all the same.
    std::fs::File::options().append(true).open(data.join("parlance.db")).unwrap().set_len(4 << 40).unwrap();
    std::fs::create_dir(folder.path().join(".parlance-copy-left")).unwrap();
    std::fs::write(folder.path().join(".parlance-copy-left/parlance.db"), "a copy").unwrap();
    let source = Source { place: f.place.clone(), folder: data.clone(), media: None, with_key: true, scratch: folder.path().to_owned() };
    let mut out = Vec::new();
    assert_eq!(code(apart(|| backup::write(&source, &f.store.clock(), &mut out, &Unwatched::default()))), "no_room");
    let looked = apart(|| doctor::examine(&f.place, setup(&f.clock), folder.path(), &Unwatched::default(), |_| Ok(())));
    assert_eq!(code(looked), "no_room");
    assert_eq!((out.len(), std::fs::read_dir(&folder).unwrap().count()), (0, 0));
}
