//! What the rules of the document look at in an operation.

use serde_json::{Map, Value};

use super::KEY;

/// An operation, as far as the layers around it differ by it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct Call {
    /// A caller is wanted: by key, or by cookie.
    pub(super) needs_key: bool,
    /// It has no effect.
    pub(super) reads: bool,
    /// An Idempotency-Key is understood.
    pub(super) once: bool,
    /// It has a JSON body.
    pub(super) takes_json: bool,
    /// It has parameters in the query.
    pub(super) takes_query: bool,
    /// It pages by a cursor.
    pub(super) takes_cursor: bool,
    /// It tells a caller who has its answer already that nothing has changed.
    pub(super) is_tagged: bool,
    /// Providers call it.
    pub(super) is_hook: bool,
}

impl Call {
    pub(super) fn of(path: &str, method: &str, operation: &Map<String, Value>) -> Self {
        let schemes = || operation.get("security").and_then(Value::as_array).into_iter().flatten();
        let needs_key = schemes().any(|scheme| scheme.get(KEY).is_some());
        let body = operation.get("requestBody").and_then(|body| body.get("content"));
        let query = || {
            let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
            parameters.filter(|parameter| parameter["in"] == "query")
        };
        Self {
            needs_key,
            reads: method == "get",
            once: needs_key && method == "post",
            takes_json: body.is_some_and(|content| content.get("application/json").is_some()),
            // The query of a link is its seal: what does not fit is not found.
            takes_query: query().next().is_some() && !path.starts_with("/media/"),
            takes_cursor: query().any(|parameter| parameter["name"] == "cursor"),
            is_tagged: operation.get("responses").is_some_and(|responses| responses.get("304").is_some()),
            is_hook: path.starts_with("/webhooks/"),
        }
    }
}
