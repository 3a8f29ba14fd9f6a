//! The load: customers, programs, staff, people who opt out, and uploads, side by side. Each client has one request under way, makes it
//! again until it is answered, and writes the answer down.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::Method;
use parlance_model::{Error, Result};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::client::{Answer, Client};
use super::journal::{Acknowledged, Journal};

/// Clients of each kind.
const CUSTOMERS: u32 = 4;
const PROGRAMS: u32 = 3;
const STAFF: u32 = 2;
/// Numbers that each client uses in turn. Programs have more: what waits for one number does not hold up the others.
const NUMBERS: u64 = 5;
const PROGRAM_NUMBERS: u64 = 50;
/// The longest that a client rests between two things, in milliseconds, and between two uploads. A kill is to meet many clients at work,
/// and what is looked for after it must not be too much.
const REST_MS: u64 = 60;
const UPLOAD_REST_MS: u64 = 400;
/// The text that opts a customer out.
pub(super) const STOP: &str = "STOP";
/// How long a client may take to end once it was asked to, with the server running.
const END: Duration = Duration::from_secs(60);

/// The clients at work. Dropping it ends them where they are.
pub(super) struct Load {
    clients: JoinSet<()>,
    journal: Arc<Journal>,
}

/// One client.
struct Lane {
    client: Client,
    journal: Arc<Journal>,
    /// Different in every lane.
    number: u32,
    random: StdRng,
}

impl Load {
    /// Sets the clients to work.
    ///
    /// # Errors
    /// Those of the server's first answers.
    pub(super) async fn start(client: &Client, journal: &Arc<Journal>, random: &mut StdRng) -> Result<Self> {
        let person = client.get("/api/v1/staff").await?["data"][0]["id"].as_i64();
        let mut load = Self { clients: JoinSet::new(), journal: Arc::clone(journal) };
        let mut lanes = (0..).map(|number| {
            let random = StdRng::seed_from_u64(random.next_u64());
            Lane { client: client.clone(), journal: Arc::clone(journal), number, random }
        });
        for lane in lanes.by_ref().take(CUSTOMERS as usize) {
            load.add(lane.customer());
        }
        for lane in lanes.by_ref().take(PROGRAMS as usize) {
            load.add(lane.program());
        }
        for lane in lanes.by_ref().take(STAFF as usize) {
            load.add(lane.staff(person));
        }
        for lane in lanes.by_ref().take(1) {
            load.add(lane.opt_outs());
        }
        for lane in lanes.by_ref().take(1) {
            load.add(lane.uploads());
        }
        Ok(load)
    }

    fn add(&mut self, work: impl Future<Output = Result<()>> + Send + 'static) {
        let journal = Arc::clone(&self.journal);
        self.clients.spawn(async move {
            if let Err(error) = work.await {
                journal.complain(format!("a client gave up: {error}"));
            }
        });
    }

    /// Waits for the clients' ends, once the journal was stopped.
    pub(super) async fn end(&mut self) {
        let ended = async { while self.clients.join_next().await.is_some() {} };
        if timeout(END, ended).await.is_err() {
            self.journal.complain("a client was not answered in a minute, with the server running".to_owned());
        }
    }
}

impl Lane {
    /// The lane's customer of this number, below 1000.
    fn phone(&self, n: u64) -> String {
        format!("+14152{:03}{n:03}", self.number)
    }

    fn sid(&self, n: u64) -> String {
        format!("SM{:08x}{n:024x}", self.number)
    }

    /// Delivers messages as a provider does: again until each is acknowledged, sometimes three times at once, sometimes again later.
    async fn customer(mut self) -> Result<()> {
        for n in 0.. {
            let copies = if self.random.random_ratio(1, 5) { 3 } else { 1 };
            self.deliver(n, copies).await?;
            self.journal.write(Acknowledged::Inbound { text: self.text("in", n) }).await;
            if self.random.random_ratio(1, 8) {
                let earlier = self.random.random_range(0..=n);
                self.deliver(earlier, 1).await?;
            }
            if self.rests(REST_MS).await {
                break;
            }
        }
        Ok(())
    }

    async fn deliver(&self, n: u64, copies: usize) -> Result<()> {
        let (sid, from, text) = (self.sid(n), self.phone(n % NUMBERS), self.text("in", n));
        for answer in join_all((0..copies).map(|_| self.client.inbound(&sid, &from, &text))).await {
            self.expect("a hook", &answer?, &[200]);
        }
        Ok(())
    }

    /// Sends messages, each under its own idempotency key, and sometimes asks again with the same.
    async fn program(mut self) -> Result<()> {
        for n in 0.. {
            let text = self.text("out", n);
            let to = n % PROGRAM_NUMBERS;
            let answer = self.send(to, &text).await?;
            self.expect("a send", &answer, &[201]);
            if let Some(id) = answer.body["data"]["message"]["id"].as_i64() {
                self.journal.write(Acknowledged::Outbound { text: text.clone(), id }).await;
                if self.random.random_ratio(1, 4) && self.send(to, &text).await?.body["data"]["message"]["id"].as_i64() != Some(id) {
                    self.journal.complain(format!("the same Idempotency-Key, {text}, was answered with another message"));
                }
            }
            if self.rests(REST_MS).await {
                break;
            }
        }
        Ok(())
    }

    async fn send(&self, n: u64, text: &str) -> Result<Answer> {
        let body = json!({ "phone": self.phone(n), "message": text });
        let headers = [("idempotency-key", text), ("prefer", "respond-async")];
        self.client.call(Method::POST, "/api/v1/conversations/send", Some(&body), &headers).await
    }

    /// Handles one conversation: its customer writes, it is assigned or put back, marked, and read.
    async fn staff(mut self, person: Option<i64>) -> Result<()> {
        let opened = self.client.call(Method::POST, "/api/v1/conversations", Some(&json!({ "phone": self.phone(0) })), &[]).await?;
        let Some(conversation) = opened.body["data"]["id"].as_i64() else {
            return Err(Error::internal(format!("a conversation was not opened: {opened:?}")));
        };
        let path = format!("/api/v1/conversations/{conversation}");
        for turn in 1.. {
            let answer = self.client.inbound(&self.sid(turn), &self.phone(0), &self.text("in", turn)).await?;
            self.expect("a hook", &answer, &[200]);
            self.journal.write(Acknowledged::Inbound { text: self.text("in", turn) }).await;
            let assigned_to = person.filter(|_| turn % 2 == 0);
            let change = json!({ "assigned_to": assigned_to, "metadata": { "turn": turn } });
            let answer = self.client.call(Method::PUT, &path, Some(&change), &[]).await?;
            self.expect("a change", &answer, &[200]);
            let answer = self.client.call(Method::POST, &format!("{path}/read"), None, &[]).await?;
            self.expect("reading", &answer, &[200]);
            self.journal.write(Acknowledged::Handled { conversation, turn, assigned_to }).await;
            if self.rests(REST_MS).await {
                break;
            }
        }
        Ok(())
    }

    /// Writes to customers who then want no more, and writes to them again.
    async fn opt_outs(mut self) -> Result<()> {
        for n in 0..20 {
            let before = self.text("before-stop", n);
            let answer = self.send(n, &before).await?;
            self.expect("a send", &answer, &[201]);
            if let Some(id) = answer.body["data"]["message"]["id"].as_i64() {
                self.journal.write(Acknowledged::Outbound { text: before, id }).await;
            }
            let answer = self.client.inbound(&self.sid(n), &self.phone(n), STOP).await?;
            self.expect("STOP", &answer, &[200]);
            for again in 0..10 {
                let text = self.text("after-stop", n * 10 + again);
                self.journal.write(Acknowledged::Stopped { text: text.clone() }).await;
                let answer = self.send(n, &text).await?;
                self.expect("a send after STOP", &answer, &[422]);
                if self.rests(REST_MS).await {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Uploads files of many sizes.
    async fn uploads(mut self) -> Result<()> {
        const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=x");
        const HEAD: &[u8] = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\n\r\n";
        while !self.rests(UPLOAD_REST_MS).await {
            let mut content = vec![0; self.random.random_range(16..512 << 10)];
            self.random.fill_bytes(&mut content);
            content[..8].copy_from_slice(b"%PDF-1.7");
            let form = Bytes::from([HEAD, &content, b"\r\n--x--\r\n"].concat());
            let answer = self.client.send(Method::POST, "/api/v1/media", form, &[FORM]).await?;
            self.expect("an upload", &answer, &[201]);
            if let Some(id) = answer.body["data"]["id"].as_i64() {
                self.journal.write(Acknowledged::File { id, sha256: digest(&content) }).await;
            }
        }
        Ok(())
    }

    /// Rests for a while. Answers whether the load is to end.
    async fn rests(&mut self, most_ms: u64) -> bool {
        sleep(Duration::from_millis(self.random.random_range(0..most_ms))).await;
        self.journal.is_stopped()
    }

    /// A text that nobody else writes.
    fn text(&self, what: &str, n: u64) -> String {
        format!("{what}-{}-{n}", self.number)
    }

    fn expect(&self, what: &str, answer: &Answer, wanted: &[u16]) {
        if !wanted.contains(&answer.status) {
            let code = answer.body.get("code").and_then(Value::as_str).unwrap_or_default();
            self.journal.complain(format!("{what} was answered {} {code}", answer.status));
        }
    }
}

/// The SHA-256 in hexadecimal digits.
pub(super) fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
