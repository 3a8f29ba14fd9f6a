//! The operations on conversations.

use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use parlance_app::App;
use parlance_app::conversation::Changes;
use parlance_model::conversation::Status;

use super::{golden, operation, wire};
use crate::auth::Allowed;
use crate::cursor::List;
use crate::etag::Tag;
use crate::json::Json as Body;
use crate::openapi;
use crate::path::InConversation;
use crate::permission::{HandleConversations, ReadConversations};
use crate::problem::Answer;
use crate::query::Query;
use wire::{Conversation, Data, Listed, Opened, Page, Thread, Unread};

type One = Answer<Json<Data<Conversation>>>;

pub(super) async fn list(
    State(app): State<App>,
    caller: Allowed<ReadConversations>,
    tag: Tag,
    Query(parameters): Query<wire::ConversationList>,
) -> Answer<Listed<Page<Conversation>>> {
    let (filter, request) = parameters.read()?;
    // What a search finds is not told by the version alone.
    let searches = filter.search.is_some();
    let page = app.conversations(&caller.who, filter, request).await?;
    Ok(Page::of(List::Conversations, request, page).tagged((!searches).then_some(tag)))
}

pub(super) fn list_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation(op, "listConversations", "Conversations, newest activity first");
    openapi::answer_example(op, &golden!("conversations"))
}

pub(super) async fn open(
    State(app): State<App>,
    caller: Allowed<HandleConversations>,
    Body(body): Body<wire::Open>,
) -> Answer<Opened<Conversation>> {
    let (to, changes) = body.read()?;
    let (found, new) = app.open(&caller.who, to, changes).await?;
    Ok(Opened { answer: Data::of(found), new })
}

pub(super) fn open_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["not_found", "no_account", "sms_provider_off"]);
    let op = operation(op, "openConversation", "Open a conversation without a message, or find the one that there is");
    openapi::request_example(shows_one(op), golden!("open"))
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Allowed<ReadConversations>,
    InConversation(id): InConversation,
) -> Answer<Json<Data<Thread>>> {
    Ok(Data::of(app.conversation(&caller.who, id).await?))
}

pub(super) fn show_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation(op, "getConversation", "A conversation and its latest messages");
    openapi::answer_example(op, &golden!("thread"))
}

pub(super) async fn change(
    State(app): State<App>,
    caller: Allowed<HandleConversations>,
    InConversation(id): InConversation,
    Body(body): Body<wire::Change>,
) -> One {
    Ok(Data::of(app.update(&caller.who, id, body.into()).await?))
}

pub(super) fn change_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation(op, "changeConversation", "Change what is given, and leave the rest");
    openapi::request_example(shows_one(op), golden!("change"))
}

pub(super) async fn assign(State(app): State<App>, caller: Allowed<HandleConversations>, InConversation(id): InConversation) -> One {
    Ok(Data::of(app.assign_to_me(&caller.who, id).await?))
}

pub(super) fn assign_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["key_has_no_user"]);
    shows_one(operation(op, "assignConversation", "Assign it to the calling user"))
}

pub(super) async fn close(State(app): State<App>, caller: Allowed<HandleConversations>, InConversation(id): InConversation) -> One {
    let changes = Changes { status: Some(Status::Closed), ..Changes::default() };
    Ok(Data::of(app.update(&caller.who, id, changes).await?))
}

pub(super) fn close_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    shows_one(operation(op, "closeConversation", "Close it"))
}

pub(super) async fn reopen(State(app): State<App>, caller: Allowed<HandleConversations>, InConversation(id): InConversation) -> One {
    let changes = Changes { status: Some(Status::Open), ..Changes::default() };
    Ok(Data::of(app.update(&caller.who, id, changes).await?))
}

pub(super) fn reopen_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    shows_one(operation(op, "reopenConversation", "Open it again, out of the archive too"))
}

pub(super) async fn read(State(app): State<App>, caller: Allowed<HandleConversations>, InConversation(id): InConversation) -> One {
    Ok(Data::of(app.mark_read(&caller.who, id).await?))
}

pub(super) fn read_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    shows_one(operation(op, "readConversation", "Mark its messages read, for the whole team"))
}

pub(super) async fn unread(State(app): State<App>, caller: Allowed<ReadConversations>) -> Answer<Json<Data<Unread>>> {
    Ok(Data::of(app.unread(&caller.who).await?))
}

pub(super) fn unread_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation(op, "countUnread", "How many messages nobody has read");
    openapi::answer_example(op, &golden!("unread"))
}

/// What answers with one conversation shows the same one.
fn shows_one(op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::answer_example(op, &golden!("conversation"))
}
