//! Examples of parameters: what their schemas say, else one by name.

use serde_json::{Map, Value, json};

/// Gives every parameter an example.
pub(super) fn of_parameters(operation: &mut Map<String, Value>) {
    let answered = answered_id(operation);
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten().filter_map(Value::as_object_mut) {
        if parameter.contains_key("$ref") || parameter.contains_key("example") {
            continue;
        }
        let name = parameter.get("name").and_then(Value::as_str).unwrap_or_default();
        let shown = answered.clone().filter(|_| name == "id");
        let said = shown.or_else(|| parameter.get("schema").and_then(of_schema)).or_else(|| by_name(name));
        if let Some(example) = said {
            parameter.insert("example".to_owned(), example);
        }
    }
}

/// The id in the example of what is answered: the same thing as in the path.
fn answered_id(operation: &Map<String, Value>) -> Option<Value> {
    let responses = operation.get("responses")?.as_object()?;
    responses.values().find_map(|response| response.pointer("/content/application~1json/example/data/id")).cloned()
}

fn of_schema(schema: &Value) -> Option<Value> {
    schema.get("examples").or(schema.get("enum"))?.get(0).cloned()
}

/// What means the same wherever it is called so.
fn by_name(name: &str) -> Option<Value> {
    match name {
        "after" => Some(json!(0)),
        "limit" => Some(json!(50)),
        "offset" => Some(json!(0)),
        "cursor" => Some(json!("AQAAAZnMi6wAAAAAAAAAAcg")),
        "q" => Some(json!("hello")),
        "search" => Some(json!("Doe")),
        "contact_id" => Some(json!(123)),
        "assigned_to" => Some(json!(7)),
        "user_id" => Some(json!(7)),
        "key_id" => Some(json!(3)),
        "subject_id" => Some(json!(456)),
        "id" => Some(json!(1)),
        "token" => Some(json!("notARealAccountToken00000001")),
        _ => None,
    }
}
