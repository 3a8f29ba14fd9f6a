//! The operation on the audit log.

use aide::transform::TransformOperation;
use axum::extract::State;
use parlance_app::App;

use super::{golden, operation_on, wire};
use crate::auth::Allowed;
use crate::cursor::List;
use crate::openapi;
use crate::permission::ReadAudit;
use crate::problem::Answer;
use crate::query::Query;
use wire::{AuditList, AuditRecord, Listed, Page};

pub(super) async fn list(
    State(app): State<App>,
    caller: Allowed<ReadAudit>,
    Query(parameters): Query<AuditList>,
) -> Answer<Listed<Page<AuditRecord>>> {
    let (filter, request) = parameters.read()?;
    let page = app.audit(&caller.who, filter, request).await?;
    Ok(Page::of(List::Audit, request, page))
}

pub(super) fn list_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation_on("directory", op, "listAudit", "Who changed what, newest first. Kept for 365 days");
    openapi::answer_example(op, &golden!("audit")).description(
        "Every change by a person, a key or a command on the server, written in the transaction of the change itself. What contacts \
         and providers do is in the event log.",
    )
}
