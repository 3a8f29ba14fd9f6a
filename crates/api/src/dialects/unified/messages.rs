//! The operations on messages: listing, sending, calling back, sending once more.

use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use parlance_app::App;

use super::{golden, operation, wire};
use crate::auth::Allowed;
use crate::cursor::List;
use crate::etag::Tag;
use crate::idempotency::Once;
use crate::json::{Json as Body, Maybe};
use crate::openapi;
use crate::path::{InConversation, InMessage};
use crate::permission::{ReadConversations, SendMessages};
use crate::prefer::Wait;
use crate::problem::Answer;
use crate::query::Query;
use wire::{Attempt, Created, Data, Listed, Message, Page, RowList, Rows, Sent};

pub(super) async fn list(
    State(app): State<App>,
    caller: Allowed<ReadConversations>,
    InConversation(id): InConversation,
    tag: Tag,
    Query(parameters): Query<wire::MessageList>,
) -> Answer<Listed<Page<Message>>> {
    let request = parameters.read()?;
    let page = app.messages(&caller.who, id, request).await?;
    Ok(Page::of(List::Messages, request, page).tagged(Some(tag)))
}

pub(super) fn list_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation(op, "listMessages", "Its messages, newest first");
    openapi::answer_example(op, &golden!("messages"))
}

pub(super) async fn reply(
    State(app): State<App>,
    caller: Allowed<SendMessages>,
    InConversation(id): InConversation,
    Wait(wait): Wait,
    Once(once): Once,
    Body(body): Body<wire::Reply>,
) -> Answer<Created<Sent>> {
    let sent = app.send(&caller.who, body.read(id, once), wait).await?;
    Ok(Created(Data::of(sent)))
}

pub(super) fn reply_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation(op, "sendInConversation", "Send a message in this conversation");
    openapi::request_example(sends(op), golden!("reply"))
}

pub(super) async fn send(
    State(app): State<App>,
    caller: Allowed<SendMessages>,
    Wait(wait): Wait,
    Once(once): Once,
    Body(body): Body<wire::Send>,
) -> Answer<Created<Sent>> {
    let sent = app.send(&caller.who, body.read(once)?, wait).await?;
    Ok(Created(Data::of(sent)))
}

pub(super) fn send_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["not_found"]);
    let op = operation(op, "sendToSomebody", "Send a message to a contact or a number; finds or opens the conversation");
    openapi::request_example(sends(op), golden!("send"))
}

pub(super) async fn call(
    State(app): State<App>,
    caller: Allowed<SendMessages>,
    InConversation(id): InConversation,
    Wait(wait): Wait,
    Once(once): Once,
    Maybe(body): Maybe<wire::Call>,
) -> Answer<Created<Sent>> {
    let placed = app.call(&caller.who, body.read(id, once), wait).await?;
    Ok(Created(Data::of(placed)))
}

pub(super) fn call_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["no_staff_phone", "not_answerable", "no_account"]);
    let op = operation(op, "callInConversation", "Call the other side of this conversation");
    let op = openapi::request_example(op, golden!("call"));
    openapi::answer_example(op, &golden!("called")).description(
        "Rings the caller's own phone first: `staff_phone`, or their number among the account's `voice.ring`. Whoever answers there \
         presses a key and is connected. The call is a message of the conversation of calls with the same person. 201 once it is stored; \
         what becomes of it is told like what becomes of a message. An opt-out does not forbid a call: it is about messages.",
    )
}

/// What both ways to send have in common.
fn sends(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    // For `sender: "assistant"` and `meta` by a key without that scope.
    openapi::codes(
        op.inner_mut(),
        &["forbidden", "recipient_opted_out", "whatsapp_window_closed", "no_account", "sms_provider_off", "not_answerable"],
    );
    openapi::answer_example(op, &golden!("sent")).description(
        "201 once the message is stored. The answer waits up to two seconds for the first outcome, unless `Prefer: respond-async` \
         is given; `status` says how far the message is by then. With `send_at` it is answered at once.",
    )
}

pub(super) async fn cancel(
    State(app): State<App>,
    caller: Allowed<SendMessages>,
    InMessage(id): InMessage,
    Once(once): Once,
) -> Answer<Json<Data<Message>>> {
    Ok(Data::of(app.cancel(&caller.who, id, once).await?))
}

pub(super) fn cancel_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["too_late", "not_outbound"]);
    let op = operation(op, "cancelMessage", "Call a message back that waits to be sent");
    openapi::answer_example(op, &golden!("canceled"))
        .description("The message becomes `canceled`. Once it is being handed to its provider it cannot be called back: 409 `too_late`.")
}

pub(super) async fn retry(
    State(app): State<App>,
    caller: Allowed<SendMessages>,
    InMessage(id): InMessage,
    Wait(wait): Wait,
    Once(once): Once,
    Maybe(body): Maybe<wire::Retry>,
) -> Answer<Json<Data<Message>>> {
    Ok(Data::of(app.retry(&caller.who, id, body.read(once), wait).await?))
}

pub(super) fn retry_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    let refused = ["recipient_opted_out", "whatsapp_window_closed", "no_account", "sms_provider_off", "not_answerable"];
    openapi::codes(op.inner_mut(), &["not_retryable", "may_have_been_sent", "under_way", "not_outbound"]);
    openapi::codes(op.inner_mut(), &refused);
    let op = operation(op, "retryMessage", "Send a message once more that did not arrive");
    let op = openapi::request_example(op, golden!("retry"));
    openapi::answer_example(op, &golden!("message")).description(
        "For messages that are failed, undelivered, expired, canceled or opted_out, and with `allow_duplicate` for those that are unknown. \
         It makes a new attempt, and waits for its first outcome as sending does. Of two people who ask at once, one is refused.",
    )
}

pub(super) async fn attempts(
    State(app): State<App>,
    caller: Allowed<ReadConversations>,
    InMessage(id): InMessage,
    Query(request): Query<RowList>,
) -> Answer<Listed<Rows<Attempt>>> {
    let (rows, total) = app.attempts(&caller.who, id, request.limit(), request.offset()).await?;
    Ok(Rows::of(&request, rows, total))
}

pub(super) fn attempts_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation(op, "listAttempts", "Each time a message was handed to its provider, first to last");
    openapi::answer_example(op, &golden!("attempts"))
}
