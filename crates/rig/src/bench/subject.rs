//! A database under measurement with its application: made for the purpose, filled with messages, and removed afterwards.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use parlance_app::account::VoiceChanges;
use parlance_app::directory::NewTwilio;
use parlance_app::ingest::{self, Heard};
use parlance_app::{App, Config};
use parlance_channels::{Hook, Parsed};
use parlance_model::account::Account;
use parlance_model::channel::Provider;
use parlance_model::clock::SystemClock;
use parlance_model::entropy::{self, SystemEntropy};
use parlance_model::inbound::{Inbound, InboundMessage};
use parlance_model::{Error, Result};
use parlance_net::{Client, Policy};
use parlance_sim::twilio::{AccountConfig, Config as SimConfig, Sim};
use parlance_store::secret::SecretKey;
use parlance_store::watch::{self, Unit, Watch};
use parlance_store::{Durability, OrgTx, Place, Setup, Store, make_folder, measure};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::{folder, heeding};
use crate::traffic::{Line, Traffic};

/// What providers would call. Nothing does: the hooks come from our own client.
pub(super) const PUBLIC_URL: &str = "https://bench.invalid";
/// Messages of a transaction while the database is filled.
const CHUNK: u64 = 1000;
/// What the second org and those after it have of the first one's messages and conversations: one in so many.
const SMALLER: u64 = 10;
/// Between two messages that are there before anything is measured.
const BETWEEN_MS: i64 = 1000;

/// How much there is before anything is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) orgs: usize,
    /// Of the first org.
    pub(super) messages: u64,
    /// Of the first org: at least one.
    pub(super) conversations: u64,
    /// Whether some of them are over WhatsApp, and texts have common words and rare ones.
    pub(super) varied: bool,
}

/// Where the database is, and what is removed with it.
pub(super) enum Home {
    /// A temporary folder.
    Folder { _until_dropped: TempDir },
    /// A database of a PostgreSQL server, by the URL of a role that may drop it.
    Database { url: String, name: String },
    /// Somebody else's.
    #[cfg(test)]
    Borrowed,
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Self::Database { url, name } = self
            && let Err(error) = measure::drop_database(url, name)
        {
            tracing::warn!(?error, "the database {name} could not be removed");
        }
    }
}

impl Home {
    /// An empty embedded database with pages of so many bytes. Blocks.
    pub(super) fn sqlite(inside: Option<&Path>, page_size: u32) -> Result<(Self, Place)> {
        let folder = folder(inside)?;
        measure::with_pages_of(folder.path(), page_size)?;
        let place = Place::Sqlite { data: folder.path().to_owned(), durability: Durability::Full };
        Ok((Self::Folder { _until_dropped: folder }, place))
    }

    /// An empty database beside the one of this URL. Blocks.
    pub(super) fn postgres(url: &str) -> Result<(Self, Place)> {
        let mut beside: url::Url = url.parse().map_err(|cause: url::ParseError| {
            Error::invalid("postgres-url", "Must be a URL such as postgres://user:password@host:port/postgres.").with_source(cause)
        })?;
        let name = format!("parlance_bench_{}", entropy::token(&SystemEntropy, 12).to_ascii_lowercase());
        measure::create_database(url, &name)?;
        beside.set_path(&name);
        Ok((Self::Database { url: url.to_owned(), name }, Place::Postgres { url: beside.into() }))
    }
}

/// A database with its application, which runs all its consumers.
pub(super) struct Subject {
    pub(super) app: App,
    pub(super) place: Place,
    pub(super) accounts: Vec<Account>,
    pub(super) lines: Vec<Line>,
    /// The number of the next message that was never sent.
    pub(super) next: u64,
    sim: Sim,
    home: Home,
}

impl Subject {
    /// Opens, and fills it. Blocks: called on a thread that may, with a runtime at hand.
    ///
    /// # Errors
    /// Those of the database; `cancelled`.
    pub(super) fn make(home: Home, place: Place, size: Size, watch: &dyn Watch) -> Result<Self> {
        let secret = match &place {
            // A server that is started on the folder has to find the key.
            Place::Sqlite { data, .. } => make_folder(data).and_then(|()| SecretKey::in_folder(data, &SystemEntropy))?,
            Place::Postgres { .. } => SecretKey::new(entropy::bytes(&SystemEntropy)),
        };
        let store = Store::open(&place, Setup { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy), secret })?;
        let mut subject = Handle::current().block_on(Self::around(store, home, place.clone(), size))?;
        Handle::current().block_on(subject.fill(size.messages, watch))?;
        measure::analyze(&place)?;
        Ok(subject)
    }

    async fn around(store: Store, home: Home, place: Place, size: Size) -> Result<Self> {
        let config = Config { public_url: PUBLIC_URL.to_owned(), ..Config::default() };
        let app = App::new(store, Client::new(Policy::default())?, Arc::new(SystemEntropy), config);
        let orgs: Vec<_> = (1..=size.orgs).collect();
        // The lists that the application asks for by itself are empty.
        let simulated = orgs
            .iter()
            .map(|org| AccountConfig { phone_numbers: vec![number(*org)], ..AccountConfig::new(account_sid(*org), auth_token(*org)) });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::internal)?;
        let config = SimConfig { accounts: simulated.collect(), ..SimConfig::default() };
        let sim = Sim::start(config, listener, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
        let (mut accounts, mut lines) = (Vec::new(), Vec::new());
        for org in orgs {
            let slug = slug(org);
            app.create_org(&slug, "Bench", "US").await?;
            let account = app.create_twilio(&slug, twilio(org, size.varied, &sim)).await?;
            let senders = if org == 1 { size.conversations } else { (size.conversations / SMALLER).max(1) };
            lines.push(Line {
                account_sid: account_sid(org),
                auth_token: auth_token(org),
                number: number(org),
                path: format!("/webhooks/twilio/a/{}", account.hook_token),
                senders,
                varied: size.varied,
            });
            accounts.push(account);
        }
        app.start();
        Ok(Self { app, place, accounts, lines, next: 0, sim, home })
    }

    /// Writes messages as hooks do, many to a transaction, and waits until every consumer has read them. They came one after the other
    /// until now.
    async fn fill(&mut self, messages: u64, watch: &dyn Watch) -> Result<()> {
        let first_ms = self.app.now_ms() - i64::try_from(messages).unwrap_or(0) * BETWEEN_MS;
        for org in 0..self.accounts.len() {
            let count = if org == 0 { messages } else { messages / SMALLER };
            watch.stage("Writing messages", Some(count), Unit::Rows);
            let end = self.next + count;
            while self.next < end {
                let chunk = CHUNK.min(end - self.next);
                let (account, inbound) = (self.accounts[org].clone(), self.inbound(org, chunk, first_ms)?);
                let heard = move |tx: &mut OrgTx<'_, '_>| ingest::record(tx, &[Heard { account: &account, inbound: &inbound }]).map(drop);
                self.app.store().write(self.accounts[org].org, heard).await?;
                watch::advance(watch, chunk)?;
            }
        }
        watch.stage("Making the search index", None, Unit::Rows);
        heeding(watch, self.app.drain_search(), || ()).await
    }

    /// The next messages of an org, read as its hooks are; the very first is of `first_ms`.
    fn inbound(&mut self, org: usize, count: u64, first_ms: i64) -> Result<Vec<Inbound>> {
        let (account, line) = (&self.accounts[org], &self.lines[org]);
        let headers = form_headers();
        let urls = [format!("{PUBLIC_URL}{}", line.path)];
        let mut inbound = Vec::new();
        for n in self.next..self.next + count {
            let body = line.early(n);
            let hook = Hook { method: "POST", urls: &urls, headers: &headers, body: body.as_bytes() };
            let at_ms = first_ms + i64::try_from(n).unwrap_or(0) * BETWEEN_MS;
            match parlance_channels::of(Provider::Twilio).read(&hook).parse(account) {
                Parsed::Apply(items) => inbound.extend(items.into_iter().map(|item| of_time(item, at_ms))),
                other => return Err(Error::internal(format!("the bench's own message was read as {other:?}"))),
            }
        }
        self.next += count;
        Ok(inbound)
    }

    /// So many messages that were never sent, to the first orgs in turn.
    pub(super) fn traffic(&mut self, orgs: usize, requests: u64) -> Traffic {
        let first = self.next;
        self.next += requests;
        Traffic { public_url: PUBLIC_URL.to_owned(), lines: self.lines[..orgs].to_vec(), first }
    }

    /// What the connection that writes is set to.
    pub(super) async fn settings(&self) -> Result<Vec<(&'static str, String)>> {
        self.app.store().system_write(measure::settings).await
    }

    /// Ends everything that runs on it. What is left is the database, which goes away where blocking is allowed.
    pub(super) async fn end(self) -> Home {
        self.app.shutdown().await;
        self.sim.shutdown().await;
        self.home
    }
}

/// The same, of that time.
fn of_time(item: Inbound, at_ms: i64) -> Inbound {
    match item {
        Inbound::Message(message) => Inbound::Message(InboundMessage { at_ms: Some(at_ms), ..message }),
        receipt @ Inbound::Receipt(_) => receipt,
    }
}

/// What a form is posted with.
fn form_headers() -> http::HeaderMap {
    let form = http::HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8");
    [(http::header::CONTENT_TYPE, form)].into_iter().collect()
}

/// The name of the nth org, from 1 on.
pub(super) fn slug(org: usize) -> String {
    format!("bench-{org}")
}

fn account_sid(org: usize) -> String {
    format!("AC{org:032}")
}

/// Visibly not a secret.
fn auth_token(org: usize) -> String {
    format!("bench-auth-token-{org:015}")
}

fn number(org: usize) -> String {
    format!("+1555123{org:04}")
}

fn twilio(org: usize, varied: bool, sim: &Sim) -> NewTwilio {
    NewTwilio {
        account_sid: account_sid(org),
        auth_token: auth_token(org),
        api_key: None,
        phone_number: number(org),
        messaging_service_sid: None,
        whatsapp_number: varied.then(|| number(org)),
        base_url: Some(sim.base_url().as_str().trim_end_matches('/').to_owned()),
        messages_per_second: None,
        voice: VoiceChanges::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use parlance_store::watch::{Unit, Watch};
    use parlance_testkit::both_databases;

    use super::super::fresh;
    use super::{Home, Size, Subject};

    /// Somebody who wants it stopped once it makes the search index.
    #[derive(Default)]
    struct Impatient(AtomicBool);

    impl Watch for Impatient {
        fn stage(&self, what: &'static str, _: Option<u64>, _: Unit) {
            self.0.store(what == "Making the search index", Ordering::SeqCst);
        }

        fn advance(&self, _: u64) {}

        fn is_cancelled(&self) -> bool {
            self.0.load(Ordering::SeqCst)
        }
    }

    both_databases! {
        async fn it_can_be_stopped_while_the_search_index_is_made(database) {
            let make = move || {
                let (_fresh, place) = fresh(database);
                let size = Size { orgs: 1, messages: 2000, conversations: 100, varied: false };
                Subject::make(Home::Borrowed, place, size, &Impatient::default()).map(drop)
            };
            let stopped = tokio::task::spawn_blocking(make).await.unwrap().unwrap_err();
            assert_eq!(stopped.code(), "cancelled", "{stopped:?}");
        }
    }
}
