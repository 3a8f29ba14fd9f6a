//! Checks an answer against the official schema. The subset of OpenAPI that these resources use is a handful of
//! keywords; a validator of all JSON Schema would not know `nullable`, and would bring seventy crates.

use jiff::fmt::rfc2822;
use serde_json::Value;

/// Panics unless the value has exactly the schema's properties, each of its type and form.
pub(crate) fn check(value: &Value, schema: &str) {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mut spec = read(include_str!("../../../testdata/message_schema.json"));
    let mut voice = read(include_str!("../../../testdata/voice_schema.json"));
    spec["schemas"].as_object_mut().unwrap().append(voice["schemas"].as_object_mut().unwrap());
    check_at(value, &spec["schemas"][schema], &spec, schema);
}

fn check_at(value: &Value, schema: &Value, spec: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        assert!(spec["schemas"][name].is_object(), "{at}: {name} is not in the test data");
        return check_at(value, &spec["schemas"][name], spec, at);
    }
    if value.is_null() {
        assert_eq!(schema["nullable"], true, "{at} is null");
        return;
    }
    match schema["type"].as_str().unwrap() {
        "object" => {
            let Some(properties) = schema["properties"].as_object() else {
                return assert!(value.is_object(), "{at}: {value}");
            };
            let (mut expected, mut got): (Vec<_>, Vec<_>) = (properties.keys().collect(), value.as_object().unwrap().keys().collect());
            expected.sort();
            got.sort();
            assert_eq!(got, expected, "{at}");
            for (name, schema) in properties {
                check_at(&value[name], schema, spec, &format!("{at}.{name}"));
            }
        }
        "array" => value.as_array().unwrap().iter().for_each(|item| check_at(item, &schema["items"], spec, &format!("{at}[]"))),
        "boolean" => assert!(value.is_boolean(), "{at}: {value}"),
        "integer" => assert!(value.is_i64(), "{at}: {value}"),
        "string" => check_text(value.as_str().unwrap_or_else(|| panic!("{at}: {value}")), schema, at),
        other => panic!("{at}: the test does not know type {other}"),
    }
}

fn check_text(text: &str, schema: &Value, at: &str) {
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.iter().any(|word| word == text), "{at}: {text}");
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        let prefixes = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix("[0-9a-fA-F]{32}$")).unwrap();
        let fits = prefixes.trim_matches(['(', ')']).split('|').any(|prefix| text.starts_with(prefix));
        assert!(fits && text.len() == 34 && text[2..].bytes().all(|byte| byte.is_ascii_hexdigit()), "{at}: {text} is not {pattern}");
    }
    if schema["format"] == "date-time-rfc-2822" {
        assert!(rfc2822::parse(text).is_ok(), "{at}: {text}");
    }
}
