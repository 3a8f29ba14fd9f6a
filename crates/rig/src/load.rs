//! The client of a measurement: keep-alive connections that send requests built beforehand, each as soon as the answer to the last is there.
//!
//! It runs as a child of the process that serves ([`Client`]), in the same binary ([`child`]): what it costs is not the server's.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use parlance_app::Tasks;
use parlance_model::{Error, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::traffic::Traffic;

/// More headers than any answer has.
const HEADERS: usize = 32;
/// How long the server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the child says once its requests are built.
const READY: &str = "ready";

/// What to send.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    /// How long requests are begun, in milliseconds.
    pub(crate) lasts_ms: u64,
    /// How many requests are built.
    pub(crate) requests: u64,
    /// Whether a request may be sent again once all were. Otherwise the round ends there.
    pub(crate) again: bool,
    pub(crate) traffic: Traffic,
}

/// What came of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// Requests that were answered with 200.
    pub(crate) answered: u64,
    /// Requests that were answered otherwise, or not at all.
    pub(crate) failed: u64,
    /// From the first request to the last answer, in microseconds.
    pub(crate) took_us: u64,
    /// How long half of the answers took at most, in microseconds.
    pub(crate) p50_us: u64,
    /// How long 99 of 100 took at most.
    pub(crate) p99_us: u64,
}

/// Requests that are built, and connections that are open.
pub(crate) struct Load {
    plan: Plan,
    requests: Vec<String>,
    connections: Vec<TcpStream>,
}

impl Load {
    /// Builds the requests and connects.
    ///
    /// # Errors
    /// `unavailable` when the server takes no connection.
    pub(crate) async fn ready(plan: Plan) -> Result<Self> {
        let first = plan.traffic.first;
        let requests = (first..first + plan.requests).map(|n| plan.traffic.request(n)).collect();
        let mut connections = Vec::new();
        for _ in 0..plan.connections {
            let stream = TcpStream::connect(plan.address).await.map_err(broken)?;
            stream.set_nodelay(true).map_err(broken)?;
            connections.push(stream);
        }
        Ok(Self { plan, requests, connections })
    }

    /// Sends for as long as planned. What was begun is waited for.
    pub(crate) async fn run(self) -> Result<Sent> {
        let Self { plan, requests, connections } = self;
        let (requests, tasks, step) = (Arc::new(requests), Tasks::default(), connections.len());
        let begun = Instant::now();
        let until = begun + Duration::from_millis(plan.lasts_ms);
        let running = connections.into_iter().enumerate().map(|(from, stream)| {
            let turns = Turns { requests: Arc::clone(&requests), from, step, again: plan.again };
            tasks.spawn(Connection { stream, read: Vec::with_capacity(1024) }.send(turns, until))
        });
        let ended = join_all(running.collect::<Vec<_>>()).await;
        let took = begun.elapsed();
        let (mut times, mut failed) = (Vec::new(), 0);
        for one in ended {
            let (of_one, broke) = one.map_err(Error::internal)?;
            times.extend(of_one);
            failed += u64::from(broke);
        }
        times.sort_unstable();
        let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default();
        Ok(Sent { answered: times.len() as u64, failed, took_us: micros(took), p50_us: at(50).into(), p99_us: at(99).into() })
    }
}

/// One request on a connection of its own; answers the status.
///
/// # Errors
/// When nobody listens there, or the connection breaks.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> std::io::Result<u16> {
    Connection { stream: TcpStream::connect(address).await?, read: Vec::new() }.ask(request).await
}

/// The requests of one connection: every so manyth.
struct Turns {
    requests: Arc<Vec<String>>,
    from: usize,
    step: usize,
    again: bool,
}

impl Turns {
    /// Its nth.
    fn nth(&self, n: usize) -> Option<&str> {
        let at = self.from + n * self.step;
        let at = if self.again { at % self.requests.len().max(1) } else { at };
        self.requests.get(at).map(String::as_str)
    }
}

struct Connection {
    stream: TcpStream,
    /// What came of an answer so far.
    read: Vec<u8>,
}

impl Connection {
    /// Sends until then. Answers how long each request took, in microseconds, and whether the connection ended with one that failed.
    async fn send(mut self, turns: Turns, until: Instant) -> (Vec<u32>, bool) {
        let mut times = Vec::new();
        loop {
            let begun = Instant::now();
            let Some(request) = turns.nth(times.len()).filter(|_| begun < until) else { return (times, false) };
            match tokio::time::timeout(PATIENCE, self.ask(request)).await {
                Ok(Ok(200)) => times.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX)),
                _ => return (times, true),
            }
        }
    }

    /// One request; answers the status once the answer is whole.
    async fn ask(&mut self, request: &str) -> std::io::Result<u16> {
        self.stream.write_all(request.as_bytes()).await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(status) = whole(&self.read)? {
                return Ok(status);
            }
        }
    }
}

/// The status of an answer that has arrived whole.
fn whole(read: &[u8]) -> std::io::Result<Option<u16>> {
    let unreadable = |why: String| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = answer.parse(read).map_err(|cause| unreadable(cause.to_string()))? else { return Ok(None) };
    let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok());
    let length = length.ok_or_else(|| unreadable("the answer does not say how long it is".to_owned()))?;
    Ok(answer.code.filter(|_| read.len() >= head + length))
}

/// The client in its own process, seen from the process that serves.
pub(crate) struct Client {
    /// Killed when this is dropped.
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Client {
    /// Starts the child of this command line and waits until its requests are built.
    ///
    /// # Errors
    /// `unavailable`.
    pub(crate) async fn ready(command: &[std::ffi::OsString], plan: &Plan) -> Result<Self> {
        let (program, arguments) = command.split_first().ok_or_else(|| Error::internal("the client has no command line"))?;
        let mut command = Command::new(program);
        // Ctrl-C on a terminal is for the parent, which ends the child.
        command.args(arguments).process_group(0).kill_on_drop(true).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(broken)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::internal("the client has no pipes"));
        };
        let mut client = Self { _child: child, input, output: BufReader::new(output).lines() };
        client.say(&serde_json::to_string(plan).map_err(Error::internal)?).await?;
        match client.hear().await? {
            said if said == READY => Ok(client),
            said => Err(Error::internal(format!("the client said {said}"))),
        }
    }

    /// Lets it send, and waits for what came of it.
    ///
    /// # Errors
    /// `unavailable`.
    pub(crate) async fn run(mut self) -> Result<Sent> {
        self.say("go").await?;
        serde_json::from_str(&self.hear().await?).map_err(Error::internal)
    }

    async fn say(&mut self, line: &str) -> Result<()> {
        self.input.write_all(format!("{line}\n").as_bytes()).await.map_err(broken)
    }

    async fn hear(&mut self) -> Result<String> {
        let line = self.output.next_line().await.map_err(broken)?;
        line.ok_or_else(|| Error::unavailable("The process that sends the requests ended.", 1))
    }
}

/// The child's side: reads its plan, builds, says that it is ready, waits for the word, sends, and says what came of it.
///
/// # Errors
/// `unavailable` when the server or the parent is gone.
pub async fn child() -> Result<()> {
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    let mut output = tokio::io::stdout();
    let Some(plan) = input.next_line().await.map_err(broken)? else { return Ok(()) };
    let load =
        Load::ready(serde_json::from_str(&plan).map_err(|cause| Error::invalid("plan", "Must be a plan.").with_source(cause))?).await?;
    output.write_all(format!("{READY}\n").as_bytes()).await.map_err(broken)?;
    output.flush().await.map_err(broken)?;
    if input.next_line().await.map_err(broken)?.is_none() {
        return Ok(());
    }
    let sent = serde_json::to_string(&load.run().await?).map_err(Error::internal)?;
    output.write_all(format!("{sent}\n").as_bytes()).await.map_err(broken)?;
    output.flush().await.map_err(broken)
}

fn broken(cause: std::io::Error) -> Error {
    Error::unavailable("The connection between the client of a measurement and its server broke.", 1).with_source(cause)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 11\r\n\r\n<Response/>";
        for until in 0..text.len() {
            assert_eq!(whole(&text[..until]).unwrap(), None, "{until}");
        }
        assert_eq!(whole(text).unwrap(), Some(200));
        assert!(whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "without a length nobody knows when it ends");
    }
}
