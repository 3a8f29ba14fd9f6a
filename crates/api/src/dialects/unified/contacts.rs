//! The operations on contacts.

use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use parlance_app::App;

use super::{golden, wire};
use crate::auth::Allowed;
use crate::cursor::List;
use crate::etag::Tag;
use crate::json::Json as Body;
use crate::openapi;
use crate::path::InContact;
use crate::permission::{HandleContacts, ReadContacts};
use crate::problem::Answer;
use crate::query::Query;
use wire::{Contact, Created, Data, Listed, Page};

pub(super) async fn list(
    State(app): State<App>,
    caller: Allowed<ReadContacts>,
    tag: Tag,
    Query(parameters): Query<wire::ContactList>,
) -> Answer<Listed<Page<Contact>>> {
    let (search, request) = parameters.read()?;
    // What a search finds is not told by the version alone.
    let searches = search.is_some();
    let page = app.contacts(&caller.who, search, request).await?;
    Ok(Page::of(List::Contacts, request, page).tagged((!searches).then_some(tag)))
}

pub(super) fn list_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation(op, "listContacts", "Contacts, newest first");
    openapi::answer_example(op, &golden!("contacts"))
}

pub(super) async fn create(
    State(app): State<App>,
    caller: Allowed<HandleContacts>,
    Body(body): Body<wire::NewContact>,
) -> Answer<Created<Contact>> {
    Ok(Created(Data::of(app.create_contact(&caller.who, body.into()).await?)))
}

pub(super) fn create_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["identity_taken"]);
    let op = operation(op, "createContact", "Make a contact")
        .description("409 `identity_taken` names the contact who has the number or address.");
    openapi::request_example(shows_one(op), golden!("create_contact"))
}

pub(super) async fn show(State(app): State<App>, caller: Allowed<ReadContacts>, InContact(id): InContact) -> Answer<Json<Data<Contact>>> {
    Ok(Data::of(app.contact(&caller.who, id).await?))
}

pub(super) fn show_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    shows_one(operation(op, "getContact", "A contact; the id of a merged one answers whom it was merged into"))
}

pub(super) async fn change(
    State(app): State<App>,
    caller: Allowed<HandleContacts>,
    InContact(id): InContact,
    Body(body): Body<wire::ChangeContact>,
) -> Answer<Json<Data<Contact>>> {
    Ok(Data::of(app.change_contact(&caller.who, id, body.into()).await?))
}

pub(super) fn change_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["identity_taken", "contact_too_large"]);
    let op = operation(op, "changeContact", "Change what is given, and leave the rest");
    let op = op.description("409 `identity_taken` names the contact who has the number or address; merge the two, or take it from them.");
    openapi::request_example(shows_one(op), golden!("change_contact"))
}

pub(super) async fn merge(
    State(app): State<App>,
    caller: Allowed<HandleContacts>,
    InContact(id): InContact,
    Body(body): Body<wire::Merge>,
) -> Answer<Json<Data<Contact>>> {
    Ok(Data::of(app.merge_contacts(&caller.who, id, body.other()).await?))
}

pub(super) fn merge_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["contact_too_large"]);
    let op = operation(op, "mergeContacts", "Merge another contact into this one").description(
        "The path's id survives: identities and conversations of the other move to it, and the other's id leads to it from then on. \
         Merging what is one already changes nothing.",
    );
    openapi::request_example(shows_one(op), golden!("merge_contacts"))
}

/// What every operation's documentation begins with.
fn operation<'a>(op: TransformOperation<'a>, id: &str, summary: &str) -> TransformOperation<'a> {
    op.id(id).summary(summary).tag("contacts")
}

/// What answers with one contact shows the same one.
fn shows_one(op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::answer_example(op, &golden!("contact"))
}
