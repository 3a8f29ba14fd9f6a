//! Schemas as tables: a row for each field, with the fields of nested objects below their own.

use serde::Serialize;
use serde_json::{Map, Value};

use super::guide::html;

/// Deeper than this nothing is shown; the API nests less.
const DEEPEST: usize = 5;

/// A field or parameter as the page shows it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// Its name.
    pub(super) name: String,
    /// How deep it is nested.
    pub(super) depth: usize,
    /// What it is: `integer`, `array of string`, `one of …`.
    pub(super) kind: String,
    /// Its limits, in words.
    pub(super) limits: String,
    /// Whether it must be there.
    pub(super) required: bool,
    /// What it means, as HTML.
    pub(super) text: String,
}

/// What a reference leads to, also one that stands alone in an `allOf` so that words may stand beside it; anything else is itself.
pub(super) fn follow<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    if let Some([only]) = value.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
        return follow(document, only);
    }
    let target = value.get("$ref").and_then(Value::as_str).and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    target.unwrap_or(value)
}

/// A row for a single value.
pub(super) fn row(document: &Value, name: &str, schema: &Value, text: &str, required: bool) -> Row {
    let kind = kind(document, schema);
    Row { name: name.to_owned(), depth: 0, kind, limits: limits(schema), required, text: html(text) }
}

/// The rows of an object's fields.
pub(super) fn rows(document: &Value, schema: &Value) -> Vec<Row> {
    let mut rows = Vec::new();
    collect(document, schema, 0, &mut rows);
    rows
}

/// What is said of the fields together: which of them exclude each other.
pub(super) fn note(document: &Value, schema: &Value) -> String {
    let choices = follow(document, schema).get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let names = choices.filter_map(|choice| choice.get("required")?.get(0)?.as_str());
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { String::new() } else { html(&format!("Exactly one of {}.", names.join(", "))) }
}

fn collect(document: &Value, schema: &Value, depth: usize, rows: &mut Vec<Row>) {
    let schema = object_in(document, schema);
    let Some(fields) = schema.get("properties").and_then(Value::as_object).filter(|_| depth < DEEPEST) else { return };
    let required = schema.get("required").and_then(Value::as_array);
    for (name, field) in fields {
        let text = field.get("description").or_else(|| follow(document, field).get("description"));
        let needed = required.is_some_and(|names| names.iter().any(|required| required == name));
        rows.push(Row { depth, ..row(document, name, field, text.and_then(Value::as_str).unwrap_or_default(), needed) });
        collect(document, field, depth + 1, rows);
    }
}

/// The object that a field is or holds: behind a reference, as a list's item, or beside null.
fn object_in<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = follow(document, schema);
    if let Some(items) = schema.get("items") {
        return object_in(document, items);
    }
    let choices = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    choices.map(|choice| follow(document, choice)).find(|choice| choice.get("properties").is_some()).unwrap_or(schema)
}

fn kind(document: &Value, schema: &Value) -> String {
    let schema = follow(document, schema);
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<String> = words.iter().map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned)).collect();
        return words.join(" | ");
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        return choices.iter().map(|choice| kind(document, choice)).collect::<Vec<_>>().join(" or ");
    }
    let one = |name: &str| match (name, schema.get("items"), schema.get("format").and_then(Value::as_str)) {
        ("array", Some(items), _) => format!("array of {}", kind(document, items)),
        ("string", _, Some(format)) => format!("string ({format})"),
        _ => name.to_owned(),
    };
    match schema.get("type") {
        Some(Value::String(name)) => one(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(one).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}

fn limits(schema: &Value) -> String {
    let Some(schema) = schema.as_object() else { return String::new() };
    let mut said = Vec::new();
    said.extend(range(schema, "minimum", "maximum", "").filter(|_| schema.get("maximum") != Some(&i64::MAX.into())));
    if schema.get("maximum") == Some(&i64::MAX.into()) && schema.get("minimum") != Some(&i64::MIN.into()) {
        said.extend(schema.get("minimum").map(|least| format!("{least} or more")));
    }
    said.extend(range(schema, "minLength", "maxLength", " characters"));
    said.extend(range(schema, "minItems", "maxItems", " items"));
    said.join(", ")
}

fn range(schema: &Map<String, Value>, least: &str, most: &str, unit: &str) -> Option<String> {
    match (schema.get(least), schema.get(most)) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
        (Some(least), None) => Some(format!("at least {least}{unit}")),
        (None, Some(most)) => Some(format!("at most {most}{unit}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::rows;

    #[test]
    fn nested_fields_stand_below_their_own() {
        let document = json!({ "components": { "schemas": { "Inner": {
            "description": "Who.", "type": "object", "required": ["id"],
            "properties": { "id": { "type": "integer", "description": "Its id." }, "word": { "type": ["string", "null"], "enum": ["a", null] } } } } } });
        let schema = json!({ "type": "object", "properties": {
            "rows": { "type": "array", "items": { "$ref": "#/components/schemas/Inner" }, "maxItems": 5 },
            "beside": { "description": "Words.", "allOf": [{ "$ref": "#/components/schemas/Inner" }] },
            "one": { "anyOf": [{ "$ref": "#/components/schemas/Inner" }, { "type": "null" }] },
        } });
        let rows = rows(&document, &schema);
        let seen: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.depth, row.kind.as_str(), row.required)).collect();
        assert_eq!(
            seen,
            [
                ("rows", 0, "array of object", false),
                ("id", 1, "integer", true),
                ("word", 1, "a | null", false),
                ("beside", 0, "object", false),
                ("id", 1, "integer", true),
                ("word", 1, "a | null", false),
                ("one", 0, "object or null", false),
                ("id", 1, "integer", true),
                ("word", 1, "a | null", false),
            ]
        );
        assert_eq!((rows[0].limits.as_str(), rows[1].text.trim()), ("at most 5 items", "<p>Its id.</p>"));
    }

    #[test]
    fn a_schema_that_holds_itself_ends() {
        let document = json!({ "components": { "schemas": { "Loop": { "type": "object", "properties": { "next": { "$ref": "#/components/schemas/Loop" } } } } } });
        assert_eq!(rows(&document, &json!({ "$ref": "#/components/schemas/Loop" })).len(), super::DEEPEST);
    }
}
