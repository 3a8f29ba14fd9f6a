//! The `unified` dialect: the canonical API, as `contracts/unified-api.md` has it. What was chosen where the contract is
//! silent is in `README.md`.
//!
//! Routes take their parameters, call one use case and answer; nothing is decided here.

mod accounts;
mod audit;
mod contacts;
mod conversations;
mod events;
mod keys;
mod me;
mod media;
mod messages;
mod opt_outs;
mod search;
mod session;
mod settings;
mod staff;
pub(crate) mod wire;

use aide::axum::ApiRouter;
use aide::axum::routing::{delete_with, get_with, post_with, put_with};
use aide::transform::TransformOperation;
use parlance_app::App;

use crate::auth::SIGN_IN;

/// Where the dialect's paths begin.
pub(crate) const BASE: &str = "/api/v1";

/// The routes, relative to [`BASE`].
pub(crate) fn routes() -> ApiRouter<App> {
    use contacts as p;
    use conversations as c;
    use messages as m;
    use opt_outs as o;
    ApiRouter::new()
        .api_route("/conversations", get_with(c::list, c::list_docs).post_with(c::open, c::open_docs))
        .api_route("/conversations/unread", get_with(c::unread, c::unread_docs))
        .api_route("/conversations/send", post_with(m::send, m::send_docs))
        .api_route("/conversations/{id}", get_with(c::show, c::show_docs).put_with(c::change, c::change_docs))
        .api_route("/conversations/{id}/assign", post_with(c::assign, c::assign_docs))
        .api_route("/conversations/{id}/close", post_with(c::close, c::close_docs))
        .api_route("/conversations/{id}/reopen", post_with(c::reopen, c::reopen_docs))
        .api_route("/conversations/{id}/read", post_with(c::read, c::read_docs))
        .api_route("/conversations/{id}/messages", get_with(m::list, m::list_docs).post_with(m::reply, m::reply_docs))
        .api_route("/conversations/{id}/calls", post_with(m::call, m::call_docs))
        .api_route("/messages/{id}/attempts", get_with(m::attempts, m::attempts_docs))
        .api_route("/messages/{id}/cancel", post_with(m::cancel, m::cancel_docs))
        .api_route("/messages/{id}/retry", post_with(m::retry, m::retry_docs))
        .api_route("/contacts", get_with(p::list, p::list_docs).post_with(p::create, p::create_docs))
        .api_route("/contacts/{id}", get_with(p::show, p::show_docs).put_with(p::change, p::change_docs))
        .api_route("/contacts/{id}/merge", post_with(p::merge, p::merge_docs))
        .api_route("/opt_outs", get_with(o::list, o::list_docs).put_with(o::set, o::put_docs).post_with(o::set, o::post_docs))
        .api_route("/media/{id}", get_with(media::show, media::show_docs))
        .api_route("/search", get_with(search::search, search::search_docs))
        .merge(directory())
}

/// The routes that read their bodies themselves.
pub(crate) fn streamed() -> ApiRouter<App> {
    ApiRouter::new().api_route("/media", post_with(media::upload, media::upload_docs))
}

/// The routes of the organisation itself.
fn directory() -> ApiRouter<App> {
    use {accounts as a, keys as k, settings as s, staff as p};
    ApiRouter::new()
        .api_route("/events", get_with(events::list, events::list_docs))
        .api_route("/audit", get_with(audit::list, audit::list_docs))
        .api_route("/me", get_with(me::show, me::show_docs))
        .api_route(SIGN_IN, post_with(session::sign_in, session::sign_in_docs).delete_with(session::sign_out, session::sign_out_docs))
        .api_route("/staff", get_with(p::list, p::list_docs).post_with(p::add, p::add_docs))
        .api_route("/staff/{id}", put_with(p::change, p::change_docs).delete_with(p::remove, p::remove_docs))
        .api_route("/keys", get_with(k::list, k::list_docs).post_with(k::make, k::make_docs))
        .api_route("/keys/{id}", delete_with(k::revoke, k::revoke_docs))
        .api_route("/accounts", get_with(a::list, a::list_docs).post_with(a::connect, a::connect_docs))
        .api_route("/accounts/{id}", get_with(a::show, a::show_docs).put_with(a::change, a::change_docs))
        .api_route("/settings/providers", get_with(s::show, s::show_docs).put_with(s::change, s::change_docs))
}

/// What every operation's documentation begins with.
fn operation<'a>(op: TransformOperation<'a>, id: &str, summary: &str) -> TransformOperation<'a> {
    op.id(id).summary(summary).tag("conversations")
}

/// The same under another tag.
fn operation_on<'a>(tag: &str, op: TransformOperation<'a>, id: &str, summary: &str) -> TransformOperation<'a> {
    op.id(id).summary(summary).tag(tag)
}

/// An example of the contract, or in its spirit, out of `golden/`.
macro_rules! golden {
    ($name:literal) => {{
        const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/dialects/unified/golden/", $name, ".json"));
        serde_json::from_str::<serde_json::Value>(TEXT).unwrap_or_default()
    }};
}
use golden;
