//! The operations on accounts.

use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use parlance_app::App;
use parlance_model::account::Account as Stored;
use parlance_model::key::Principal;

use super::{golden, operation_on, wire};
use crate::auth::Allowed;
use crate::json::Json as Body;
use crate::openapi;
use crate::path::InAccount;
use crate::permission::ManageAccounts;
use crate::problem::Answer;
use crate::query::Query;
use wire::{Account, ChangeAccount, ConnectAccount, Created, Data, Listed, RowList, Rows};

type One = Answer<Json<Data<Account>>>;

pub(super) async fn list(
    State(app): State<App>,
    caller: Allowed<ManageAccounts>,
    Query(request): Query<RowList>,
) -> Answer<Listed<Rows<Account>>> {
    let (rows, total) = app.accounts(&caller.who, request.limit(), request.offset()).await?;
    Ok(Rows::of(&request, shown(&app, &caller.who, rows).await?, total))
}

pub(super) fn list_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation_on("directory", op, "listAccounts", "The organisation's accounts at providers");
    openapi::answer_example(op, &golden!("accounts"))
}

pub(super) async fn connect(
    State(app): State<App>,
    caller: Allowed<ManageAccounts>,
    Body(body): Body<ConnectAccount>,
) -> Answer<Created<Account>> {
    let (name, new) = body.read();
    let made = app.add_twilio(&caller.who, name, new).await?;
    Ok(Created(Data::of(one(&app, &caller.who, made).await?)))
}

pub(super) fn connect_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["account_exists"]);
    let op = operation_on("directory", op, "connectAccount", "Connect an account. Put its `hook_url` into the provider's console");
    shows_one(openapi::request_example(op, golden!("connect_account")))
}

pub(super) async fn show(State(app): State<App>, caller: Allowed<ManageAccounts>, InAccount(id): InAccount) -> One {
    let found = app.account(&caller.who, id).await?;
    Ok(Data::of(one(&app, &caller.who, found).await?))
}

pub(super) fn show_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    shows_one(operation_on("directory", op, "getAccount", "An account"))
}

pub(super) async fn change(
    State(app): State<App>,
    caller: Allowed<ManageAccounts>,
    InAccount(id): InAccount,
    Body(body): Body<ChangeAccount>,
) -> One {
    let changed = app.change_account(&caller.who, id, body.into()).await?;
    Ok(Data::of(one(&app, &caller.who, changed).await?))
}

pub(super) fn change_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["account_exists"]);
    let op = operation_on("directory", op, "changeAccount", "Change an account, or switch it on or off");
    shows_one(openapi::request_example(op, golden!("change_account")))
}

async fn one(app: &App, who: &Principal, account: Stored) -> Answer<Account> {
    let health = app.healths(who, std::slice::from_ref(&account)).await?.pop().unwrap_or_default();
    Ok(Account::of(app.hook_url(&account), account, health))
}

async fn shown(app: &App, who: &Principal, accounts: Vec<Stored>) -> Answer<Vec<Account>> {
    let healths = app.healths(who, &accounts).await?;
    Ok(accounts.into_iter().zip(healths).map(|(account, health)| Account::of(app.hook_url(&account), account, health)).collect())
}

fn shows_one(op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::answer_example(op, &golden!("account"))
}
