//! Asks Twilio's Calls resource to ring the phone of a staff member, once (twilio.com/docs/voice/api/call-resource). What
//! follows when it is answered is asked of us by hook.

use parlance_model::account::Account;
use parlance_model::outbound::{OutgoingCall, SendOutcome};
use parlance_net::Client;

use super::{send, settings, voice};

/// Places the call, never twice.
pub(super) async fn place(http: &Client, public_url: &str, account: &Account, call: &OutgoingCall) -> SendOutcome {
    let settings = settings(account);
    let url = |step| voice::step_url(public_url, account, call.call, Some(call.attempt), step);
    let (answered, report, ring_s) = (url(Some(("answered", 0))), url(None), call.ring_s.to_string());
    let mut fields = vec![
        ("To", call.staff_phone.as_str()),
        ("From", settings.phone_number.as_str()),
        ("Url", &answered),
        ("Timeout", &ring_s),
        ("StatusCallback", &report),
    ];
    fields.extend(["initiated", "ringing", "answered", "completed"].map(|event| ("StatusCallbackEvent", event)));
    send::post(http, settings, "Calls.json", fields).await
}
