//! `simulate twilio`: the simulator alone.

use parlance_model::{Error, Result};
use parlance_sim::customers::{Customers, Pace};
use parlance_sim::twilio::{AccountConfig, Config, Sim};

use super::serve::{bind, ended};
use crate::cli::{Simulate, SimulateTwilio};
use crate::output::Form;
use crate::place::{Parts, parts, runtime};

pub(crate) fn run(form: Form, what: Simulate) -> Result<()> {
    let Simulate::Twilio(options) = what;
    runtime()?.block_on(twilio(form, options))
}

async fn twilio(form: Form, options: SimulateTwilio) -> Result<()> {
    let Parts { clock, entropy } = parts();
    let listener = bind(options.listen).await?;
    let account = AccountConfig {
        phone_numbers: options.phone_number.clone(),
        messaging_service_sid: options.messaging_service_sid,
        voice_url: options.webhook_url.clone(),
        voice_status_callback: options.webhook_url.clone(),
        inbound_url: options.webhook_url,
        advanced_opt_out: options.advanced_opt_out,
        ..AccountConfig::new(options.account_sid.clone(), options.auth_token)
    };
    let config = Config { accounts: vec![account], callback_step_ms: options.callback_step_ms, ..Config::default() };
    let sim = Sim::start(config, listener, clock, entropy).await?;
    let url = sim.base_url();
    let url = url.as_str().trim_end_matches('/');
    form.made(Some(url), vec![("base_url", url.into())])?;
    let number = options.phone_number.first().cloned().ok_or_else(|| Error::invalid("phone-number", "Must be given."))?;
    let _customers = options.customers.then(|| Customers::start(&sim, options.account_sid, number, Pace::default()));
    ended().await?;
    sim.shutdown().await;
    Ok(())
}
