//! The client of a measurement: keep-alive connections that send requests built beforehand, each as soon as the answer to the last is there.
//!
//! It runs as a child of the process that serves (`Client`), in the same binary ([`child`]): what it costs is not the server's.

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
/// The status of an answer that is as the client has it.
pub(crate) const NOT_MODIFIED: u16 = 304;

/// What to send.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    /// How long requests are begun, in milliseconds.
    pub(crate) lasts_ms: u64,
    /// How long a connection rests between an answer and its next request, in milliseconds.
    pub(crate) pause_ms: u64,
    /// Whether a request may be sent again once all were. Otherwise the round ends there.
    pub(crate) again: bool,
    pub(crate) what: What,
}

/// Which requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum What {
    /// So many messages of customers, each to be answered with 200.
    Hooks { traffic: Traffic, count: u64 },
    /// These.
    Given(Vec<Request>),
}

/// A request as it goes over the connection, and what it has to be answered with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) text: String,
    pub(crate) status: u16,
    /// Bytes of the answer's body, where they are known.
    pub(crate) length: Option<usize>,
}

impl What {
    /// One after the other.
    fn built(self) -> Vec<Request> {
        match self {
            Self::Given(requests) => requests,
            Self::Hooks { traffic, count } => {
                let hook = |n| Request { text: traffic.request(n), status: 200, length: None };
                (traffic.first..traffic.first + count).map(hook).collect()
            }
        }
    }
}

/// What came of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// Requests that were answered as they have to be.
    pub(crate) answered: u64,
    /// Requests that were answered otherwise, or not at all.
    pub(crate) failed: u64,
    /// What one of those was, and what became of it.
    pub(crate) failure: Option<String>,
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
    requests: Vec<Request>,
    connections: Vec<TcpStream>,
}

impl Load {
    /// Builds the requests and connects.
    ///
    /// # Errors
    /// `unavailable` when the server takes no connection.
    pub(crate) async fn ready(mut plan: Plan) -> Result<Self> {
        let requests = std::mem::replace(&mut plan.what, What::Given(Vec::new())).built();
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
            let pause = Duration::from_millis(plan.pause_ms);
            let turns = Turns { requests: Arc::clone(&requests), from, step, again: plan.again, pause };
            tasks.spawn(Connection { stream, read: Vec::with_capacity(1024) }.send(turns, until))
        });
        let ended = join_all(running.collect::<Vec<_>>()).await;
        let took = begun.elapsed();
        let (mut times, mut failures) = (Vec::new(), Vec::new());
        for one in ended {
            let (of_one, failure) = one.map_err(Error::internal)?;
            times.extend(of_one);
            failures.extend(failure);
        }
        let [p50_us, p99_us] = percentiles(&mut times, [50, 99]);
        let (answered, failed) = (times.len() as u64, failures.len() as u64);
        Ok(Sent { answered, failed, failure: failures.pop(), took_us: micros(took), p50_us, p99_us })
    }
}

/// The times that so many of a hundred took at most; 0 where there are none.
pub(crate) fn percentiles<const N: usize>(times: &mut [u32], percents: [usize; N]) -> [u64; N] {
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied();
    percents.map(|percent| at(percent).unwrap_or_default().into())
}

/// How long ago that was, in microseconds.
pub(crate) fn elapsed(begun: Instant) -> u32 {
    u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// An answer, as it came over the connection.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// One request on a connection of its own.
///
/// # Errors
/// When nobody listens there, or the connection breaks.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> std::io::Result<Answer> {
    let mut connection = Connection { stream: TcpStream::connect(address).await?, read: Vec::new() };
    let Whole { status, head } = connection.ask(request).await?;
    let body = connection.read.split_off(head);
    Ok(Answer { status, head: String::from_utf8_lossy(&connection.read).into_owned(), body })
}

/// The requests of one connection: every so manyth.
struct Turns {
    requests: Arc<Vec<Request>>,
    from: usize,
    step: usize,
    again: bool,
    pause: Duration,
}

impl Turns {
    /// Its nth.
    fn nth(&self, n: usize) -> Option<&Request> {
        let at = self.from + n * self.step;
        let at = if self.again { at % self.requests.len().max(1) } else { at };
        self.requests.get(at)
    }
}

struct Connection {
    stream: TcpStream,
    /// What came of an answer so far.
    read: Vec<u8>,
}

impl Connection {
    /// Sends until then, and once at least. Answers how long each request took, in microseconds, and how the one went that failed and ended it.
    async fn send(mut self, turns: Turns, until: Instant) -> (Vec<u32>, Option<String>) {
        let mut times = Vec::new();
        loop {
            if !turns.pause.is_zero() {
                tokio::time::sleep(turns.pause).await;
            }
            let begun = Instant::now();
            let Some(request) = turns.nth(times.len()).filter(|_| begun < until || times.is_empty()) else { return (times, None) };
            let answered = tokio::time::timeout(PATIENCE, self.ask(&request.text)).await;
            let time = elapsed(begun);
            let fits = |whole: &Whole| {
                whole.status == request.status && request.length.is_none_or(|length| self.read.len() == whole.head + length)
            };
            let became = match answered {
                Ok(Ok(whole)) if fits(&whole) => {
                    times.push(time);
                    continue;
                }
                Ok(Ok(whole)) => format!("{} with {} bytes", whole.status, self.read.len() - whole.head),
                Ok(Err(cause)) => cause.to_string(),
                Err(_) => format!("no answer in {} s", PATIENCE.as_secs()),
            };
            let line = request.text.lines().next().unwrap_or_default();
            let length = request.length.map(|length| format!(" with {length} bytes")).unwrap_or_default();
            return (times, Some(format!("{line}: {became}, where {}{length} has to be.", request.status)));
        }
    }

    /// One request; returns once the answer is whole. It stands in `read`.
    async fn ask(&mut self, request: &str) -> std::io::Result<Whole> {
        self.stream.write_all(request.as_bytes()).await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(whole) = whole(&self.read)? {
                return Ok(whole);
            }
        }
    }
}

/// An answer that has arrived: its status, and the bytes before its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Whole {
    status: u16,
    head: usize,
}

/// The answer that this is, once nothing of it is missing.
fn whole(read: &[u8]) -> std::io::Result<Option<Whole>> {
    let unreadable = |why: String| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = answer.parse(read).map_err(|cause| unreadable(cause.to_string()))? else { return Ok(None) };
    let status = answer.code.unwrap_or_default();
    let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok());
    // A 304 has no body, whatever it says of one (RFC 9110, 15.4.5).
    let length = if status == NOT_MODIFIED { Some(0) } else { length };
    let length = length.ok_or_else(|| unreadable("the answer does not say how long it is".to_owned()))?;
    Ok((read.len() >= head + length).then_some(Whole { status, head }))
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
        let mut client = Self::start(command)?;
        client.prepare(plan).await?;
        Ok(client)
    }

    /// Starts the child of this command line.
    ///
    /// # Errors
    /// `unavailable`.
    pub(crate) fn start(command: &[std::ffi::OsString]) -> Result<Self> {
        let (program, arguments) = command.split_first().ok_or_else(|| Error::internal("the client has no command line"))?;
        let mut command = Command::new(program);
        // Ctrl-C on a terminal is for the parent, which ends the child.
        command.args(arguments).process_group(0).kill_on_drop(true).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(broken)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::internal("the client has no pipes"));
        };
        Ok(Self { _child: child, input, output: BufReader::new(output).lines() })
    }

    /// Gives it a plan and waits until its requests are built.
    ///
    /// # Errors
    /// `unavailable`.
    pub(crate) async fn prepare(&mut self, plan: &Plan) -> Result<()> {
        self.say(&serde_json::to_string(plan).map_err(Error::internal)?).await?;
        match self.hear().await? {
            said if said == READY => Ok(()),
            said => Err(Error::internal(format!("the client said {said}"))),
        }
    }

    /// Lets it send, and waits for what came of it.
    ///
    /// # Errors
    /// `unavailable`.
    pub(crate) async fn run(&mut self) -> Result<Sent> {
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

/// The child's side: for each plan that it reads, it builds, says that it is ready, waits for the word, sends, and says what came of it.
///
/// # Errors
/// `unavailable` when the server or the parent is gone.
pub async fn child() -> Result<()> {
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    let mut output = tokio::io::stdout();
    while let Some(plan) = input.next_line().await.map_err(broken)? {
        let plan = serde_json::from_str(&plan).map_err(|cause| Error::invalid("plan", "Must be a plan.").with_source(cause))?;
        let load = Load::ready(plan).await?;
        output.write_all(format!("{READY}\n").as_bytes()).await.map_err(broken)?;
        output.flush().await.map_err(broken)?;
        if input.next_line().await.map_err(broken)?.is_none() {
            return Ok(());
        }
        let sent = serde_json::to_string(&load.run().await?).map_err(Error::internal)?;
        output.write_all(format!("{sent}\n").as_bytes()).await.map_err(broken)?;
        output.flush().await.map_err(broken)?;
    }
    Ok(())
}

fn broken(cause: std::io::Error) -> Error {
    Error::unavailable("The connection between the client of a measurement and its server broke.", 1).with_source(cause)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Whole, percentiles, whole};

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 11\r\n\r\n<Response/>";
        for until in 0..text.len() {
            assert_eq!(whole(&text[..until]).unwrap(), None, "{until}");
        }
        assert_eq!(whole(text).unwrap(), Some(Whole { status: 200, head: text.len() - 11 }));
        assert!(whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "without a length nobody knows when it ends");
    }

    #[test]
    fn an_unchanged_answer_has_no_body() {
        for text in ["HTTP/1.1 304 Not Modified\r\n\r\n", "HTTP/1.1 304 Not Modified\r\ncontent-length: 11\r\n\r\n"] {
            assert_eq!(whole(text.as_bytes()).unwrap(), Some(Whole { status: 304, head: text.len() }));
        }
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        assert_eq!(percentiles(&mut (1..=200).rev().collect::<Vec<_>>(), [50, 99]), [101, 199]);
        assert_eq!(percentiles(&mut [7], [50, 99]), [7, 7]);
        assert_eq!(percentiles(&mut [], [99]), [0]);
    }
}
