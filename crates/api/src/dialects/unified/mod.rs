//! The `unified` dialect: the canonical API, as `contracts/unified-api.md` has it. What was chosen where the contract is
//! silent is in `README.md`.
//!
//! Routes take their parameters, call one use case and answer; nothing is decided here.

mod conversations;
mod messages;
mod wire;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use aide::transform::TransformOperation;
use parlance_app::App;

/// Where the dialect's paths begin.
pub(crate) const BASE: &str = "/api/v1";

/// The routes, relative to [`BASE`].
pub(crate) fn routes() -> ApiRouter<App> {
    use conversations as c;
    use messages as m;
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
}

/// What every operation's documentation begins with.
fn operation<'a>(op: TransformOperation<'a>, id: &str, summary: &str) -> TransformOperation<'a> {
    op.id(id).summary(summary).tag("conversations")
}

/// An example of the contract, or in its spirit, out of `golden/`.
macro_rules! golden {
    ($name:literal) => {{
        const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/dialects/unified/golden/", $name, ".json"));
        serde_json::from_str::<serde_json::Value>(TEXT).unwrap_or_default()
    }};
}
use golden;
