//! `bench`: hands the arguments to the rig, and prints its report.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use axum::Router;
use parlance_app::App;
use parlance_model::{Error, Result};
use parlance_rig::bench::{Report, footprint, ingest, list, mixed};
use parlance_rig::load;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::connections::{Connections, Limits};
use crate::cli::{Bench, BenchFootprint, BenchIngest, BenchList, BenchMixed};
use crate::output::{Form, say};
use crate::place::runtime;
use crate::progress::watched;

pub(crate) fn run(form: Form, what: Bench) -> Result<()> {
    match what {
        Bench::Ingest(options) => {
            let options = measured(options)?;
            show(form, watched(move |watch| ingest::run(&options, watch))?)
        }
        Bench::Footprint(options) => {
            let options = weighed(options)?;
            show(form, watched(move |watch| footprint::run(&options, watch))?)
        }
        Bench::List(options) => {
            let options = listed(options)?;
            show(form, watched(move |watch| list::run(&options, watch))?)
        }
        Bench::Mixed(options) => {
            let options = both(options)?;
            show(form, watched(move |watch| mixed::run(&options, watch))?)
        }
        Bench::Load => runtime()?.block_on(load::child()),
    }
}

fn measured(options: BenchIngest) -> Result<ingest::Ingest> {
    Ok(ingest::Ingest {
        messages: options.messages,
        conversations: options.conversations,
        connections: options.connections.into_iter().map(usize::from).collect(),
        rounds: options.rounds.into(),
        seconds: options.seconds,
        page_sizes: options.page_size,
        postgres_url: options.postgres_url,
        scratch: options.scratch,
        client: client(&program()?),
        door,
    })
}

fn weighed(options: BenchFootprint) -> Result<footprint::Footprint> {
    let BenchFootprint { messages, conversations, scratch } = options;
    let program = program()?;
    Ok(footprint::Footprint { messages, conversations, scratch, client: client(&program), program })
}

fn listed(options: BenchList) -> Result<list::List> {
    Ok(list::List {
        conversations: options.conversations,
        messages_each: options.messages_each,
        rounds: options.rounds.into(),
        millis: options.millis,
        postgres_url: options.postgres_url,
        scratch: options.scratch,
        client: client(&program()?),
        door,
    })
}

fn both(options: BenchMixed) -> Result<mixed::Mixed> {
    Ok(mixed::Mixed {
        messages: options.messages,
        conversations: options.conversations,
        connections: options.connections.into(),
        pauses_ms: options.pause,
        rounds: options.rounds.into(),
        seconds: options.seconds,
        postgres_url: options.postgres_url,
        scratch: options.scratch,
        client: client(&program()?),
        door,
    })
}

/// This binary.
fn program() -> Result<PathBuf> {
    std::env::current_exe().map_err(Error::internal)
}

/// The command line of the process that sends.
fn client(program: &Path) -> Vec<OsString> {
    vec![program.into(), "bench".into(), "load".into()]
}

/// Takes connections as `serve` does.
fn door(app: &App, router: Router, listener: TcpListener) {
    let (tasks, stop) = (app.tasks(), CancellationToken::new());
    let connections = Connections { router, tls: None, limits: Limits::default(), stop: stop.clone(), sockets: app.sockets().clone() };
    tasks.spawn(connections.serve(listener, tasks.clone()));
    let stopping = tasks.clone();
    tasks.spawn(async move {
        stopping.stopping().await;
        stop.cancel();
    });
}

fn show(form: Form, Report { settings, columns, rows }: Report) -> Result<()> {
    if form == Form::Json {
        let rows = rows.into_iter().map(|row| columns.iter().map(|name| (*name).to_owned()).zip(row).collect::<Map<_, _>>());
        let rows: Vec<_> = rows.map(Value::Object).collect();
        return say(&json!({ "settings": settings.into_iter().collect::<Map<_, _>>(), "rows": rows }).to_string());
    }
    for (name, value) in settings {
        say(&format!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)))?;
    }
    form.list(columns, rows)
}
