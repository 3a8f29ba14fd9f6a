//! Two orgs with one of everything in each: what is ours, and the ids of the other's, which nobody here may reach.

use std::collections::BTreeMap;

use parlance_model::role::Role;
use parlance_testkit::Database;
use serde_json::{Value, json};

use crate::support::{CUSTOMER, Client, TestApp, inbound_form, sid};

/// One of each kind of thing, by the word in its paths.
type Things = BTreeMap<&'static str, i64>;

pub(crate) struct World {
    pub(crate) app: TestApp,
    /// Who may do everything in our org.
    pub(crate) owner: Client,
    /// The same in the other org.
    pub(crate) other: Client,
    pub(crate) other_org: i64,
    ours: Things,
    theirs: Things,
}

impl World {
    pub(crate) async fn new(database: Database) -> Self {
        let (app, org, _) = TestApp::new(database).await;
        let owner = app.staff(&org, "olga", Role::Owner).await;
        app.inbound(&sid(1), CUSTOMER, "Hello?").await;
        let ours = things(&owner).await;
        let other = app.org("other").await;
        app.account(&other, "+15551234568").await;
        let other = app.staff(&other, "bob", Role::Owner).await;
        // Two of everything that is paged through.
        for (number, phone) in [(2, "+14152000003"), (3, "+14152000003"), (4, "+14152000002")] {
            app.hook("/webhooks/twilio", &inbound_form(&sid(number), phone, "+15551234568", "Hello")).await.expect(200);
            other.put("/api/v1/opt_outs", json!({ "phone": phone, "opted_out": true })).await.expect(200);
        }
        app.app.drain_search().await.unwrap();
        let other_org = other.get("/api/v1/me").await.data()["org"]["id"].as_i64().unwrap();
        let theirs = things(&other).await;
        // Ids of a kind count through all orgs: what is theirs is not ours.
        assert!(ours.iter().all(|(kind, id)| theirs[kind] != *id), "{ours:?} {theirs:?}");
        Self { app, owner, other, other_org, ours, theirs }
    }

    /// The path with our ids in it.
    pub(crate) fn path(&self, path: &str) -> String {
        let path = if path.contains("{id}") { path.replace("{id}", &self.ours[kind_of_path(path)].to_string()) } else { path.to_owned() };
        let fixed = [("{token}", "notARealAccountToken00000001"), ("{org}", "1"), ("{media}", "1"), ("{variant}", "file")];
        fixed.iter().fold(path, |path, (name, value)| path.replace(name, value))
    }

    /// The other org's id for a path.
    pub(crate) fn foreign_in_path(&self, path: &str) -> i64 {
        self.theirs[kind_of_path(path)]
    }

    /// The other org's id for a parameter or field.
    pub(crate) fn foreign(&self, name: &str) -> i64 {
        self.theirs[kind_of_field(name)]
    }

    /// The same for a field that holds ids, as it stands in a body.
    pub(crate) fn foreign_field(&self, name: &str, schema: &Value) -> Option<Value> {
        let holds =
            |kind: &str| schema["type"] == kind || schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(|one| one == kind));
        let is_id = holds("integer") && (name.ends_with("_id") || name == "assigned_to");
        is_id.then(|| self.foreign(name).into())
    }

    /// An example with our ids in the place of those that it shows.
    pub(crate) fn owned(&self, mut example: Value) -> Value {
        for (name, value) in example.as_object_mut().into_iter().flatten() {
            if value.is_i64() && (name.ends_with("_id") || name == "assigned_to") {
                *value = self.ours[kind_of_field(name)].into();
            }
        }
        example
    }
}

fn kind_of_path(path: &str) -> &str {
    let rest = path.strip_prefix("/api/v1/").unwrap_or(path);
    rest.split('/').next().unwrap_or_default()
}

fn kind_of_field(name: &str) -> &'static str {
    match name {
        "contact_id" => "contacts",
        "assigned_to" | "user_id" => "staff",
        "key_id" => "keys",
        other => panic!("{other}: say here what it names"),
    }
}

/// The newest of each list.
async fn things(client: &Client) -> Things {
    let mut things = Things::new();
    for kind in ["conversations", "contacts", "staff", "keys", "accounts"] {
        let list = client.get(&format!("/api/v1/{kind}")).await.expect(200);
        things.insert(kind, list.data().as_array().unwrap().last().unwrap()["id"].as_i64().unwrap());
    }
    let file = client.upload("a.txt", b"Hello").await.expect(201);
    things.insert("media", file.data()["id"].as_i64().unwrap());
    let messages = client.get(&format!("/api/v1/conversations/{}/messages", things["conversations"])).await.expect(200);
    things.insert("messages", messages.data()[0]["id"].as_i64().unwrap());
    things
}
