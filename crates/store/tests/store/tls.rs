//! The connection to a PostgreSQL that takes only encrypted ones, with a throw-away certificate authority.

use parlance_model::Error;
use parlance_store::{Place, org};
use parlance_testkit::Cluster;
use rcgen::{BasicConstraints, CertificateParams, CertifiedKey, IsCa, KeyPair};

use crate::fixture::Fixture;
use crate::raw::apart;

/// An authority, and what it signed for one name.
fn signed_for(name: &str) -> (String, CertifiedKey) {
    let (authority, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&authority).unwrap();
    let cert = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &root, &authority).unwrap();
    (root.pem(), CertifiedKey { cert, key_pair: key })
}

/// A store's first steps over this URL.
async fn tried(url: String) -> Result<(), Error> {
    let clock = std::sync::Arc::new(parlance_model::clock::ManualClock::at(crate::fixture::START_MS));
    let store = crate::fixture::open(&Place::Postgres { url }, crate::fixture::setup(&clock)).await?;
    store.system_read(|tx| org::exists(tx).map(drop)).await
}

/// Everything that went wrong, in one line.
fn causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_connection_checks_what_its_url_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    // The server is called by its address, 127.0.0.1.
    let (root, right) = signed_for("127.0.0.1");
    let (other_root, elsewhere) = signed_for("db.example.com");
    std::fs::write(path("root.pem"), &root).unwrap();
    std::fs::write(path("other.pem"), &other_root).unwrap();
    std::fs::write(path("empty.pem"), "").unwrap();
    let mut cluster = apart(|| Cluster::start().unwrap());
    let url = apart(|| cluster.database().unwrap());
    let with = |query: &str| format!("{url}?{query}");
    let (ours, others) = (format!("sslrootcert={}", path("root.pem")), format!("sslrootcert={}", path("other.pem")));

    // A server without TLS: asking for it is refused, preferring it is not.
    assert!(causes(&tried(with("sslmode=require")).await.unwrap_err()).contains("does not support TLS"));
    tried(with("sslmode=prefer")).await.unwrap();

    apart(|| cluster.encrypt(&right.cert.pem(), &right.key_pair.serialize_pem()).unwrap());
    for query in ["", "sslmode=prefer", "sslmode=require", &format!("sslmode=verify-full&{ours}"), &format!("sslmode=verify-ca&{ours}")] {
        tried(with(query)).await.unwrap_or_else(|error| panic!("{query}: {}", causes(&error)));
    }
    for (query, why) in [
        ("sslmode=disable".to_owned(), "no encryption"),
        ("sslmode=verify-full".to_owned(), "UnknownIssuer"),
        (format!("sslmode=verify-full&{others}"), "certificate"),
        (format!("sslmode=require&{others}"), "certificate"),
        (format!("sslmode=verify-full&sslrootcert={}", path("none.pem")), "none.pem cannot be used"),
        (format!("sslmode=verify-full&sslrootcert={}", path("empty.pem")), "empty.pem cannot be used"),
    ] {
        let refused = tried(with(&query)).await.unwrap_err();
        assert_eq!(refused.code(), "unavailable", "{query}: {}", causes(&refused));
        assert!(causes(&refused).contains(why), "{query}: {}", causes(&refused));
    }

    // A certificate for another name: the chain is good, the name is not.
    apart(|| cluster.encrypt(&elsewhere.cert.pem(), &elsewhere.key_pair.serialize_pem()).unwrap());
    tried(with(&format!("sslmode=verify-ca&{others}"))).await.unwrap();
    let refused = tried(with(&format!("sslmode=verify-full&{others}"))).await.unwrap_err();
    assert!(causes(&refused).contains("not valid for name"), "{}", causes(&refused));

    // The same store over an encrypted connection: everything works, and a restart is survived.
    let f = Fixture::at(Place::Postgres { url: with(&format!("sslmode=verify-ca&{others}")) }, None).await;
    apart(|| cluster.restart().unwrap());
    f.write(|tx| org::default_sms_provider(tx, "twilio")).await.unwrap();
    drop(f);
    apart(move || drop(cluster));
}
