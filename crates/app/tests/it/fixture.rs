//! An application on a fresh database with a simulated Twilio behind one account. Jobs run only when a test says so,
//! and time moves only when a test moves it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parlance_app::account::VoiceChanges;
use parlance_app::backfill::Compared;
use parlance_app::conversation::Filter;
use parlance_app::directory::NewTwilio;
use parlance_app::ingest::HookRequest;
use parlance_app::media::{self, Files};
use parlance_app::page::{PageRequest, Start};
use parlance_app::send::{Draft, Recipient, Sent};
use parlance_app::{App, Config};
use parlance_model::Result;
use parlance_model::account::{Account, Settings};
use parlance_model::channel::{Channel, Provider};
use parlance_model::clock::ManualClock;
use parlance_model::conversation::Conversation;
use parlance_model::entropy::SeededEntropy;
use parlance_model::key::Principal;
use parlance_model::message::Message;
use parlance_net::{Client, Policy};
use parlance_sim::twilio::{AccountConfig, ApiKey, Config as SimConfig, Sim, signature};
use parlance_store::secret::SecretKey;
use parlance_store::watch::Unwatched;
use parlance_store::{OrgTx, Place, Setup, Store, account, doctor};
use parlance_testkit::{Database, FreshDatabase};
use tempfile::TempDir;

pub(crate) const SID: &str = "AC00000000000000000000000000000001";
pub(crate) const TOKEN: &str = "not-a-real-auth-token-0000000001";
/// An API key of the simulated account.
pub(crate) const KEY_SID: &str = "SK00000000000000000000000000000001";
pub(crate) const KEY_SECRET: &str = "not-a-real-secret";
pub(crate) const NUMBER: &str = "+15551234567";
pub(crate) const SERVICE: &str = "MG00000000000000000000000000000001";
pub(crate) const CUSTOMER: &str = "+14152000001";
/// The largest file: small, so that tests can be.
pub(crate) const MEDIA_LIMIT: u64 = 1 << 20;
/// The secret key of every node.
pub(crate) const KEY: [u8; 32] = [3; 32];
const PUBLIC_URL: &str = "https://chat.example.com";

pub(crate) struct Fixture {
    pub(crate) app: App,
    pub(crate) who: Principal,
    pub(crate) sim: Sim,
    pub(crate) clock: Arc<ManualClock>,
    /// The media store.
    pub(crate) files: TempDir,
    pub(crate) place: Place,
    _database: Option<FreshDatabase>,
}

/// Opens a node on a place: on PostgreSQL several may share one.
pub(crate) async fn node(place: &Place, clock: &Arc<ManualClock>, seed: u64, files: &Path) -> App {
    let (place, clock) = (place.clone(), Arc::clone(clock));
    let entropy = Arc::new(SeededEntropy::new(seed));
    let setup = Setup { clock, entropy: entropy.clone(), secret: SecretKey::new(KEY) };
    let store = tokio::task::spawn_blocking(move || Store::open(&place, setup)).await.unwrap().unwrap();
    let media = media::Config { files: Files::in_folder(files).unwrap(), limit: MEDIA_LIMIT, patience: Duration::ZERO };
    App::new(store, Client::new(Policy::default()).unwrap(), entropy, Config { public_url: PUBLIC_URL.into(), media })
}

impl Fixture {
    pub(crate) async fn new(database: Database) -> Self {
        let fresh = tokio::task::spawn_blocking(move || database.fresh()).await.unwrap();
        Self::at(place_of(&fresh), Some(fresh)).await
    }

    /// The same on a database that the test itself stops and starts.
    pub(crate) async fn at(place: Place, fresh: Option<FreshDatabase>) -> Self {
        let clock = Arc::new(ManualClock::at(1_772_740_800_000));
        let files = tempfile::tempdir().unwrap();
        let app = node(&place, &clock, 1, files.path()).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let account = AccountConfig {
            phone_numbers: vec![NUMBER.into()],
            messaging_service_sid: Some(SERVICE.into()),
            api_keys: vec![ApiKey { sid: KEY_SID.into(), secret: KEY_SECRET.into() }],
            ..AccountConfig::new(SID, TOKEN)
        };
        let config = SimConfig { accounts: vec![account], callback_step_ms: 0, webhook_timeout_ms: 200, ..SimConfig::default() };
        let sim = Sim::start(config, listener, clock.clone(), Arc::new(SeededEntropy::new(2))).await.unwrap();
        app.create_org("acme", "Acme", "US").await.unwrap();
        app.create_twilio("acme", twilio(&sim, NUMBER)).await.unwrap();
        let (_, token) = app.create_key("acme", None, "test", None, false).await.unwrap();
        let who = app.authenticate(&token).await.unwrap();
        Self { app, who, sim, clock, files, place, _database: fresh }
    }

    /// Another copy of the server on the same database.
    pub(crate) async fn second_node(&self) -> App {
        node(&self.place, &self.clock, 3, self.files.path()).await
    }

    pub(crate) async fn send(&self, body: &str) -> Result<Sent> {
        self.send_once(body, None).await
    }

    pub(crate) async fn send_once(&self, body: &str, once: Option<&str>) -> Result<Sent> {
        self.app.send(&self.who, draft(body, once), false).await
    }

    /// The account, as it is stored.
    pub(crate) async fn account(&self) -> Account {
        self.app.store().read(self.who.org, |tx| Ok(account::list(tx)?.remove(0))).await.unwrap()
    }

    /// Changes the account past the use cases.
    pub(crate) async fn set_account(&self, change: impl Fn(&mut Account) + Send + 'static) {
        self.set_account_at(&self.app, change).await;
    }

    /// The same through another node.
    async fn set_account_at(&self, node: &App, change: impl Fn(&mut Account) + Send + 'static) {
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let mut account = account::list(tx)?.remove(0);
            change(&mut account);
            account::save(tx, &account)
        };
        node.store().write(self.who.org, write).await.unwrap();
    }

    /// Lets the account have this auth token.
    pub(crate) async fn set_token(&self, token: &'static str) {
        self.set_token_at(&self.app, token).await;
    }

    /// The same through another node.
    pub(crate) async fn set_token_at(&self, node: &App, token: &'static str) {
        let set = move |account: &mut Account| {
            let Settings::Twilio(twilio) = &mut account.settings;
            twilio.auth_token = token.to_owned();
        };
        self.set_account_at(node, set).await;
    }

    /// Lets the account ask a provider at this URL from now on.
    pub(crate) async fn answers_at(&self, base_url: String) {
        self.set_account(move |account| {
            let Settings::Twilio(twilio) = &mut account.settings;
            twilio.base_url = Some(base_url.clone());
        })
        .await;
    }

    /// Compares the account's lists at its provider with what is here.
    pub(crate) async fn compare(&self) -> Compared {
        self.app.backfill("acme", self.account().await.id, None, &Unwatched::default()).await.unwrap()
    }

    pub(crate) async fn conversations(&self) -> Vec<Conversation> {
        let page = PageRequest { limit: 200, start: Start::Offset(0) };
        self.app.conversations(&self.who, Filter::default(), page).await.unwrap().items
    }

    /// The only conversation, and its messages.
    pub(crate) async fn only(&self) -> (Conversation, Vec<Message>) {
        let [conversation] = self.conversations().await.try_into().unwrap_or_else(|found| panic!("one conversation: {found:?}"));
        let (_, messages) = self.app.conversation(&self.who, conversation.id).await.unwrap();
        (conversation, messages.into_iter().map(|shown| shown.message).collect())
    }

    /// The doctor finds nothing, neither in the rows nor in the files, and the provider's credentials went to its API alone.
    pub(crate) async fn assert_healthy(&self) {
        assert_eq!(doctor::check(self.app.store(), true).await.unwrap().findings, Vec::new());
        let files = Files::in_folder(self.files.path()).unwrap();
        let inspected = media::inspect(self.app.store(), &files, true, &Unwatched::default()).await.unwrap();
        assert_eq!(inspected.findings, Vec::new());
        assert_eq!(self.sim.leaks(), Vec::<String>::new());
    }

    /// The message as it now stands.
    pub(crate) async fn look(&self, sent: &Sent) -> Message {
        let (_, messages) = self.app.conversation(&self.who, sent.conversation.id).await.unwrap();
        messages.into_iter().map(|shown| shown.message).find(|message| message.id == sent.message.id).unwrap()
    }
}

pub(crate) fn place_of(fresh: &FreshDatabase) -> Place {
    match fresh {
        FreshDatabase::Sqlite(folder) => Place::Sqlite { data: folder.path().to_owned(), durability: Default::default() },
        FreshDatabase::Postgres(url) => Place::Postgres { url: url.clone() },
    }
}

pub(crate) fn twilio(sim: &Sim, number: &str) -> NewTwilio {
    NewTwilio {
        account_sid: SID.into(),
        auth_token: TOKEN.into(),
        api_key: None,
        phone_number: number.into(),
        messaging_service_sid: None,
        whatsapp_number: None,
        base_url: Some(sim.base_url().to_string()),
        messages_per_second: Some(0),
        voice: VoiceChanges::default(),
    }
}

/// An inbound SMS with this SID, signed.
pub(crate) fn inbound(sid: &str, from: &str, to: &str, body: &str) -> HookRequest {
    hook("/webhooks/twilio", &[("AccountSid", SID), ("MessageSid", sid), ("From", from), ("To", to), ("Body", body), ("NumMedia", "0")])
}

/// A status callback, signed.
pub(crate) fn callback(path: &str, sid: &str, status: &str, code: Option<&str>) -> HookRequest {
    let mut form = vec![
        ("AccountSid", SID),
        ("MessageSid", sid),
        ("MessageStatus", status),
        ("From", NUMBER),
        ("To", CUSTOMER),
        ("SmsStatus", status),
    ];
    form.extend(code.map(|code| ("ErrorCode", code)));
    hook(path, &form)
}

/// A request to this path with this form, signed as Twilio signs it.
pub(crate) fn hook(path: &str, form: &[(&str, &str)]) -> HookRequest {
    let url = format!("{PUBLIC_URL}{path}");
    let signature = signature::sign(TOKEN, &url, form.iter().copied());
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let mut headers = http::HeaderMap::new();
    headers.insert("x-twilio-signature", signature.parse().unwrap());
    headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    let token = path.split('?').next().and_then(|path| path.strip_prefix("/webhooks/twilio/a/")).map(str::to_owned);
    HookRequest { provider: Provider::Twilio, token, method: "POST".into(), path_and_query: path.into(), headers, body: body.into() }
}

/// `SM` and 32 hexadecimal digits.
pub(crate) fn sid(number: usize) -> String {
    format!("SM{number:032x}")
}

/// A text to the customer.
pub(crate) fn draft(body: &str, once: Option<&str>) -> Draft {
    Draft { once: once.map(Into::into), ..Draft::text(Recipient::Phone(CUSTOMER.into(), Channel::Sms), body) }
}
