//! A store on an empty database with one org and one account, a clock that stands still, and seeded randomness.
//! What a hook or a send writes is written here as `app` does it.

use std::sync::Arc;

use parlance_model::account::{Account, Settings, TwilioSettings, Voice};
use parlance_model::channel::Channel;
use parlance_model::clock::ManualClock;
use parlance_model::contact::{Contact, Identity, IdentityKind};
use parlance_model::conversation::{Conversation, session_key};
use parlance_model::entropy::SeededEntropy;
use parlance_model::id::{ConversationId, MessageId, OrgId};
use parlance_model::job::{Job, Lane};
use parlance_model::message::{Direction, Kind, SenderKind};
use parlance_model::phone::{Address, Phone};
use parlance_model::{Error, Result};
use parlance_store::message::NewMessage;
use parlance_store::secret::SecretKey;
use parlance_store::{Durability, OrgTx, Place, Setup, Store, SystemTx, account, contact, conversation, job, message, org};
use parlance_testkit::{Database, FreshDatabase};
use tempfile::TempDir;

use crate::raw::Raw;

/// When every test begins: 2026-03-05T20:00:00Z.
pub(crate) const START_MS: i64 = 1_772_740_800_000;
/// The token of every account. Nobody could take it for a real one.
pub(crate) const TOKEN: &str = "not-a-real-auth-token";

/// The store under test and what it stands on. Dropped in this order: the store before its folder.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) org: OrgId,
    pub(crate) account: Account,
    pub(crate) place: Place,
    pub(crate) _folder: Option<TempDir>,
}

/// An empty database, and the folder that must outlive it.
pub(crate) fn place(database: Database, durability: Durability) -> (Place, Option<TempDir>) {
    match database.fresh() {
        FreshDatabase::Sqlite(folder) => (Place::Sqlite { data: folder.path().to_owned(), durability }, Some(folder)),
        FreshDatabase::Postgres(url) => (Place::Postgres { url }, None),
    }
}

pub(crate) fn setup(clock: &Arc<ManualClock>) -> Setup {
    Setup { clock: clock.clone(), entropy: Arc::new(SeededEntropy::new(7)), secret: SecretKey::new([7; 32]) }
}

/// Opens a store from inside the runtime.
pub(crate) async fn open(place: &Place, setup: Setup) -> Result<Store> {
    let place = place.clone();
    tokio::task::spawn_blocking(move || Store::open(&place, setup)).await.unwrap()
}

/// The settings of the account that owns this number.
pub(crate) fn twilio(number: &str) -> Settings {
    Settings::Twilio(TwilioSettings {
        account_sid: sid(number),
        auth_token: TOKEN.to_owned(),
        api_key_sid: None,
        api_key_secret: String::new(),
        phone_number: phone(number),
        messaging_service_sid: None,
        base_url: None,
        whatsapp_number: None,
        messages_per_second: None,
        voice: Voice::default(),
    })
}

/// A SID that Twilio never gave out: zeros and the last digits of the number.
pub(crate) fn sid(number: &str) -> String {
    format!("AC{:0>32}", &number[number.len() - 4..])
}

pub(crate) fn phone(number: &str) -> Phone {
    Phone::parse(number, "US".parse().unwrap()).unwrap()
}

pub(crate) fn identity(number: &str) -> Identity {
    Identity { kind: IdentityKind::Phone, value: number.to_owned() }
}

impl Fixture {
    pub(crate) async fn new(database: Database) -> Self {
        let (place, folder) = place(database, Durability::Relaxed);
        Self::at(place, folder).await
    }

    pub(crate) async fn at(place: Place, folder: Option<TempDir>) -> Self {
        Self::with_clock(place, folder, Arc::new(ManualClock::at(START_MS))).await
    }

    pub(crate) async fn with_clock(place: Place, folder: Option<TempDir>, clock: Arc<ManualClock>) -> Self {
        let store = open(&place, setup(&clock)).await.unwrap();
        let org = store.system_write(|tx| org::create(tx, "acme", "Acme", "US")).await.unwrap().id;
        let account = store.write(org, |tx| account::create(tx, "Main line", &twilio("+15550000001"))).await.unwrap();
        Self { store, clock, org, account, place, _folder: folder }
    }

    /// Another node on the same database.
    pub(crate) async fn second_store(&self) -> Store {
        open(&self.place, setup(&self.clock)).await.unwrap()
    }

    pub(crate) fn raw(&self) -> Raw {
        Raw::new(&self.place)
    }

    /// Another org, with an account of its own.
    pub(crate) async fn other_org(&self) -> (OrgId, Account) {
        let org = self.system_write(|tx| org::create(tx, "other", "Other", "DE")).await.unwrap().id;
        let account = self.store.write(org, |tx| account::create(tx, "Theirs", &twilio("+15550000002"))).await.unwrap();
        (org, account)
    }

    pub(crate) async fn write<T, F>(&self, closure: F) -> Result<T>
    where
        F: Fn(&mut OrgTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.store.write(self.org, closure).await
    }

    pub(crate) async fn read<T, F>(&self, closure: F) -> Result<T>
    where
        F: Fn(&mut OrgTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.store.read(self.org, closure).await
    }

    pub(crate) async fn system_write<T, F>(&self, closure: F) -> Result<T>
    where
        F: Fn(&mut SystemTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.store.system_write(closure).await
    }

    pub(crate) async fn system_read<T, F>(&self, closure: F) -> Result<T>
    where
        F: Fn(&mut SystemTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.store.system_read(closure).await
    }

    /// The conversation with this number.
    pub(crate) async fn conversation(&self, number: &'static str) -> Conversation {
        let account = self.account.clone();
        self.write(move |tx| Ok(talk(tx, &account, number)?.0)).await.unwrap()
    }

    /// A message from this number.
    pub(crate) async fn receive(&self, number: &'static str, body: &'static str) -> (ConversationId, MessageId) {
        let account = self.account.clone();
        self.write(move |tx| receive(tx, &account, number, &inbound(body))).await.unwrap()
    }

    /// A message to this number, with its job.
    pub(crate) async fn send(&self, number: &'static str, body: &'static str) -> MessageId {
        let account = self.account.clone();
        self.write(move |tx| send(tx, &account, number, body)).await.unwrap()
    }

    /// The conversation as it now stands.
    pub(crate) async fn reload(&self, id: ConversationId) -> Conversation {
        self.read(move |tx| conversation::get(tx, id)).await.unwrap()
    }

    /// The last event of the org's log.
    pub(crate) async fn seq(&self) -> i64 {
        self.read(org::current).await.unwrap().seq
    }

    /// Brings the search index up to date.
    pub(crate) async fn drain(&self) {
        drain(&self.store).await;
    }

    /// Fails when doctor finds anything.
    pub(crate) async fn assert_clean(&self) {
        let report = parlance_store::doctor::check(&self.store, true).await.unwrap();
        assert_eq!(report.findings, Vec::new());
    }
}

/// Brings a node's search index up to date.
pub(crate) async fn drain(store: &Store) {
    for org in store.system_read(parlance_store::search::behind).await.unwrap() {
        while parlance_store::search::step(store, org).await.unwrap() {}
    }
    assert_eq!(store.system_read(parlance_store::search::behind).await.unwrap(), []);
    assert_eq!(store.system_read(parlance_store::search::lag).await.unwrap(), 0);
}

/// An inbound text that came just now.
pub(crate) fn inbound(body: &str) -> NewMessage {
    NewMessage::new(Direction::Inbound, SenderKind::Contact, Kind::Text, body)
}

/// An outbound text.
pub(crate) fn outbound(body: &str) -> NewMessage {
    NewMessage { direction: Direction::Outbound, sender: SenderKind::Staff, ..inbound(body) }
}

/// The conversation and contact of a number, made when there are none.
pub(crate) fn talk(tx: &mut OrgTx<'_, '_>, account: &Account, number: &str) -> Result<(Conversation, Contact)> {
    let address = Address::Phone(phone(number));
    let (contact, _) = contact::find_or_create(tx, &Identity::of(&address), &contact::Details::default())?;
    let key = conversation::Key {
        account,
        session_key: session_key(Channel::Sms, &address),
        channel: Channel::Sms,
        peer: address.key(),
        contact: contact.id,
    };
    Ok((conversation::find_or_create(tx, &key)?.0, contact))
}

/// What one inbound message writes.
pub(crate) fn receive(tx: &mut OrgTx<'_, '_>, account: &Account, number: &str, new: &NewMessage) -> Result<(ConversationId, MessageId)> {
    let (before, _) = talk(tx, account, number)?;
    let mut after = before.clone();
    let id = message::append(tx, &mut after, new, false)?;
    conversation::save(tx, &before, &after)?;
    Ok((after.id, id))
}

/// What one outbound message writes.
pub(crate) fn send(tx: &mut OrgTx<'_, '_>, account: &Account, number: &str, body: &str) -> Result<MessageId> {
    let (conversation, id) = receive(tx, account, number, &outbound(body))?;
    let now_ms = tx.now_ms();
    job::enqueue(tx, &Job::Send { message_id: id }, Some(Lane::Conversation(conversation)), now_ms)?;
    Ok(id)
}

/// The code of the error that this must be.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T>) -> &'static str {
    result.expect_err("an error").code()
}

/// An error of the test's own, to see a closure fail.
pub(crate) fn refused() -> Error {
    Error::refused("test_refused", "The test says no.")
}
