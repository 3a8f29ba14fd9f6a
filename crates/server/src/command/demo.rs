//! `demo`: a sample organisation, a simulated Twilio behind its account, and customers who write and answer.
//! The data is made anew at every start, so nothing here is ever worth keeping.

use std::path::Path;

use parlance_api::{Options, RATE_LIMIT};
use parlance_app::account::VoiceChanges;
use parlance_app::conversation::Filter;
use parlance_app::directory::NewTwilio;
use parlance_app::page::{PageRequest, Start};
use parlance_app::{App, Config, media};
use parlance_model::conversation::Conversation;
use parlance_model::entropy;
use parlance_model::role::Role;
use parlance_model::{Error, Result};
use parlance_net::Policy;
use parlance_sim::customers::{Customers, Pace};
use parlance_sim::twilio::{AccountConfig, Config as SimConfig, Sim};
use parlance_store::{installation, make_folder};

use super::serve::{Front, bind, ended, serve};
use crate::cli::{DemoArgs, PlaceArgs};
use crate::output::Form;
use crate::place::{self, Parts, parts};

/// Marks a folder that the demo made and may empty.
const MARK: &str = "this-is-a-parlance-demo";
const ORG: &str = "demo";
const EMAIL: &str = "ann@demo.example";
const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
const NUMBER: &str = "+15551234567";
/// When a customer calls, in milliseconds after the start. No phone of the demo rings, so they leave a message.
const CALL_MS: u64 = 30_000;

pub(crate) fn run(args: &PlaceArgs, form: Form, options: &DemoArgs) -> Result<()> {
    // In the environment of a server these are the server's: nothing of the demo may come to stand among its data.
    let of_a_server = [
        ("database-url", args.database_url.is_some()),
        ("media-store", args.media_store.is_some()),
        ("secret-key", args.secret_key.is_some()),
    ];
    if let Some((setting, _)) = of_a_server.into_iter().find(|(_, given)| *given) {
        return Err(Error::invalid(
            setting,
            "The demo brings its own. Leave this out, and its variable and line of the configuration file.",
        ));
    }
    let folder = &args.data;
    let _lock = place::lock(args)?;
    empty(folder)?;
    let runtime = place::runtime()?;
    let listener = runtime.block_on(bind(options.listen))?;
    let public_url = format!("http://{}", listener.local_addr().map_err(Error::internal)?);
    let app = {
        let _context = runtime.enter();
        let media = media::Config { files: args.files()?, ..media::Config::default() };
        place::open(args, Policy::default(), Config { public_url: public_url.clone(), media })?
    };
    runtime.block_on(async {
        app.store().system_write(installation::check_key).await?;
        let Parts { clock, entropy } = parts();
        let auth_token = format!("demo-{}", entropy::token(entropy.as_ref(), 27));
        let sim = Sim::start(simulated(&public_url, &auth_token), bind(([127, 0, 0, 1], 0).into()).await?, clock, entropy).await?;
        let sample = sample(&app, &sim, auth_token).await?;
        let (guide, url) = (app.clone(), public_url.clone());
        let guided = app.tasks().spawn(async move { explain(form, &guide, &url, &sample).await });
        let pace = Pace { call_ms: Some(CALL_MS), ..Pace::default() };
        let customers = Customers::start(&sim, ACCOUNT_SID, NUMBER, pace);
        let options = Options { rate_limit: RATE_LIMIT, metrics_token: None };
        let served = serve(app, &options, Front::plain(listener), ended()).await;
        guided.abort();
        drop(customers);
        sim.shutdown().await;
        served
    })
}

/// Takes away what an earlier demo left. A folder with anything else in it is refused.
fn empty(folder: &Path) -> Result<()> {
    let unusable = |cause: std::io::Error| {
        Error::unavailable(format!("{} cannot be used. Check its permissions.", folder.display()), 1).with_source(cause)
    };
    make_folder(folder)?;
    let marked = folder.join(MARK).exists();
    for entry in std::fs::read_dir(folder).map_err(unusable)? {
        let path = entry.map_err(unusable)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name == "lock" || name == MARK {
            continue;
        }
        // With what SQLite keeps beside its files.
        let database = ["parlance.db", "search.db"].iter().any(|file| name.starts_with(file));
        let ours = database || ["secret.key", "media", "migration.lock"].contains(&name);
        if !(marked && ours) {
            let message =
                format!("{} holds something else. The demo starts anew every time; give it a folder of its own.", folder.display());
            return Err(Error::conflict("not_a_demo_folder", message));
        }
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.map_err(unusable)?;
    }
    std::fs::write(folder.join(MARK), "").map_err(unusable)
}

fn simulated(public_url: &str, auth_token: &str) -> SimConfig {
    let hook: Option<url::Url> = format!("{public_url}/webhooks/twilio").parse().ok();
    let account = AccountConfig {
        phone_numbers: vec![NUMBER.to_owned()],
        voice_url: hook.clone(),
        voice_status_callback: hook.clone(),
        inbound_url: hook,
        advanced_opt_out: true,
        ..AccountConfig::new(ACCOUNT_SID, auth_token)
    };
    SimConfig { accounts: vec![account], callback_step_ms: 400, ..SimConfig::default() }
}

/// What a newcomer signs in and calls with.
struct Sample {
    password: String,
    token: String,
}

async fn sample(app: &App, sim: &Sim, auth_token: String) -> Result<Sample> {
    app.create_org(ORG, "Spoke & Wheel", "US").await?;
    let (_, password) = app.create_user(ORG, EMAIL, "Ann Baker", Role::Owner, None).await?;
    let (_, token) = app.create_key(ORG, Some(EMAIL.to_owned()), "demo", None, true).await?;
    let twilio = NewTwilio {
        account_sid: ACCOUNT_SID.to_owned(),
        auth_token,
        api_key: None,
        phone_number: NUMBER.to_owned(),
        messaging_service_sid: None,
        whatsapp_number: None,
        base_url: Some(sim.base_url().as_str().trim_end_matches('/').to_owned()),
        messages_per_second: None,
        voice: VoiceChanges::default(),
    };
    app.create_twilio(ORG, twilio).await?;
    Ok(Sample { password: password.unwrap_or_default(), token })
}

/// Waits for the first customer, then says how to answer.
async fn explain(form: Form, app: &App, url: &str, sample: &Sample) -> Result<()> {
    let who = app.authenticate(&sample.token).await?;
    let mut signals = app.store().bus().listen();
    let first = loop {
        let page = PageRequest { limit: 1, start: Start::Offset(0) };
        if let Some(first) = app.conversations(&who, Filter::default(), page).await?.items.pop() {
            break first;
        }
        // A lost signal is as good as a signal: look again.
        let _ = signals.recv().await;
    };
    let record = vec![
        ("url", url.into()),
        ("email", EMAIL.into()),
        ("password", sample.password.as_str().into()),
        ("token", sample.token.as_str().into()),
        ("conversation_id", first.id.0.into()),
    ];
    form.made(Some(&guide(url, sample, &first)), record)
}

fn guide(url: &str, sample: &Sample, first: &Conversation) -> String {
    let Sample { password, token } = sample;
    let (id, from, text) = (first.id, &first.peer, &first.preview);
    format!(
        r#"
Parlance is running on {url} with sample data. Ctrl-C ends it.

  Organisation  Spoke & Wheel ({ORG}), number {NUMBER}
  Sign-in       {EMAIL}  {password}  (POST {url}/api/v1/session)
  API key       {token}

A customer, {from}, just wrote: {text}

See what came in:
  curl -s -H 'Authorization: Bearer {token}' {url}/api/v1/conversations

Answer it, and watch for the customer's reply:
  curl -s -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \
    -d '{{"message": "Hello! How can we help?"}}' {url}/api/v1/conversations/{id}/messages
  curl -s -H 'Authorization: Bearer {token}' {url}/api/v1/conversations/{id}/messages

After half a minute a customer calls and leaves a message, with its recording:
  curl -s -H 'Authorization: Bearer {token}' '{url}/api/v1/conversations?channel=voice'

The whole API, to read: {url}/docs
"#
    )
}
