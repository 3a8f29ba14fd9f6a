//! What does not belong into a field, by what its schema says may be there.

use serde_json::Value;

use crate::openapi::follow;

/// A value as it stands in the body, which need not be JSON.
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) raw: Vec<u8>,
}

fn wrong(what: impl Into<String>, raw: impl Into<Vec<u8>>) -> Wrong {
    Wrong { what: what.into(), raw: raw.into() }
}

/// Values of each JSON type.
const TYPED: [(&str, &str); 9] = [
    ("boolean", "true"),
    ("boolean", "false"),
    ("integer", "7"),
    ("number", "1.5"),
    ("string", "\"hostile\""),
    ("array", "[]"),
    ("array", "[[[]]]"),
    ("object", "{}"),
    ("null", "null"),
];

/// No JSON at all, wherever a value stands.
const NO_JSON: [&str; 8] = ["NaN", "Infinity", "-Infinity", "1e999", "0x10", "01", "'a'", ""];

/// What a field of a JSON body must not hold.
pub(crate) fn in_field(document: &Value, schema: &Value) -> Vec<Wrong> {
    let schema = follow(document, schema);
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => panic!("{schema}: a field without a type; attack it here"),
    };
    let words = schema["enum"].as_array();
    let fits = |kind: &str| types.contains(&kind) || (kind == "integer" && types.contains(&"number"));
    let typed = TYPED.iter().filter(|(kind, _)| !fits(kind) || (*kind == "string" && words.is_some()));
    let mut all: Vec<Wrong> = typed.map(|(_, raw)| wrong(*raw, *raw)).collect();
    all.extend(NO_JSON.map(|raw| wrong(format!("no JSON: {raw}"), raw)));
    all.extend([("half a pair", "\"\\ud800\""), ("the other half", "\"\\udc00x\"")].map(|(what, raw)| wrong(what, raw)));
    all.push(wrong("bytes that are no UTF-8", b"\"a\xff\"".to_vec()));
    all.push(wrong("a NUL byte", b"\"a\0\"".to_vec()));
    all.push(wrong("a deep list", format!("{}{}", "[".repeat(300), "]".repeat(300))));
    for kind in &types {
        all.extend(match *kind {
            "string" => texts(schema),
            "integer" => integers(schema),
            "object" if schema["properties"].is_object() => fields(document, schema),
            "object" => objects(),
            "array" => lists(document, schema),
            _ => Vec::new(),
        });
    }
    all
}

fn texts(schema: &Value) -> Vec<Wrong> {
    let mut all = vec![wrong("NUL", r#""a\u0000b""#), wrong("only NUL", r#""\u0000""#)];
    if let Some(most) = schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok()) {
        all.push(wrong("one character too many", format!("\"{}\"", "x".repeat(most + 1))));
        all.push(wrong("one wide character too many", format!("\"{}\"", "👍".repeat(most + 1))));
    }
    if schema["minLength"].as_u64().is_some_and(|least| least > 0) {
        all.extend([wrong("empty", "\"\""), wrong("white space", "\" \\t\"")]);
    }
    if schema["enum"].is_array() {
        all.extend([wrong("no word", "\"\""), wrong("a word in capitals", "\"OPEN\"")]);
    }
    if schema["format"] == "date-time" {
        all.extend(
            ["2026-02-30T00:00:00Z", "2026-03-05", "yesterday", "99999-01-01T00:00:00Z"].map(|text| wrong(text, format!("\"{text}\""))),
        );
    }
    all
}

fn integers(schema: &Value) -> Vec<Wrong> {
    let mut all: Vec<_> =
        ["1e30", "9223372036854775808", "-9223372036854775809", "1.000001", "\"1\"", "\"\""].map(|raw| wrong(raw, raw)).into();
    // Ids have no bounds, and count up from 1.
    if schema["minimum"].as_i64() != Some(0) {
        all.extend(["0", "-1"].map(|raw| wrong(raw, raw)));
    }
    for (bound, by) in [("minimum", -1), ("maximum", 1)] {
        if let Some(beyond) = schema[bound].as_i64().and_then(|bound: i64| bound.checked_add(by)) {
            all.push(wrong(format!("beyond the {bound}"), beyond.to_string()));
        }
    }
    all
}

fn objects() -> Vec<Wrong> {
    vec![
        wrong("a large object", format!("{{\"a\":\"{}\"}}", "x".repeat(70 * 1024))),
        wrong("NUL inside", r#"{"a":["\u0000"]}"#),
        wrong("NUL in a name", r#"{"\u0000":1}"#),
        wrong("a deep object", format!("{}1{}", "{\"a\":".repeat(300), "}".repeat(300))),
        wrong("bytes that are no UTF-8 inside", b"{\"a\":\"\xc3\x28\"}".to_vec()),
    ]
}

/// Objects of which one field is wrong. Fields that are not known are ignored, whatever is in them.
fn fields(document: &Value, schema: &Value) -> Vec<Wrong> {
    let mut all = Vec::new();
    for (name, field) in schema["properties"].as_object().unwrap() {
        for Wrong { what, raw } in in_field(document, field) {
            all.push(wrong(format!("{name}: {what}"), [format!("{{\"{name}\":").as_bytes(), &raw, b"}"].concat()));
        }
    }
    all
}

fn lists(document: &Value, schema: &Value) -> Vec<Wrong> {
    let mut all = Vec::new();
    if schema["minItems"].as_u64().is_some_and(|least| least > 0) {
        all.push(wrong("an empty list", "[]"));
    }
    if let Some(most) = schema["maxItems"].as_u64().and_then(|most| usize::try_from(most).ok()) {
        all.push(wrong("too many items", format!("[{}]", vec!["1"; most + 1].join(","))));
    }
    let items = follow(document, &schema["items"]);
    if items["properties"].is_object() {
        all.extend(fields(document, items).into_iter().map(|Wrong { what, raw }| wrong(what, [b"[", &raw[..], b"]"].concat())));
    }
    if items.is_object() {
        all.extend(["[null]", "[{}]", "[[]]", "[true]", "[\"\"]", "[\"\\u0000\"]", "[-1]"].map(|raw| wrong(raw, raw)));
    }
    all
}

/// What must not stand in a path, percent-encoded.
pub(crate) fn in_path() -> Vec<String> {
    let fixed = [
        "0",
        "-1",
        "+1",
        "01",
        "1.0",
        "1e3",
        "abc",
        "null",
        "%00",
        "1%00",
        "%FF",
        "%ED%A0%80",
        "1%20",
        "%F0%9F%91%8D",
        "%D9%A1",
        "%EF%BC%91",
        "1%2F2",
        "1;2",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "99999999999999999999999999",
    ];
    fixed.map(str::to_owned).into_iter().chain(["9".repeat(5000)]).collect()
}

/// What a parameter of the query must not be, percent-encoded.
pub(crate) fn in_query(name: &str, schema: &Value) -> Vec<String> {
    let mut all: Vec<String> = ["%00", "a%00b", "%FF", "%ED%A0%80", "%C3%28"].map(str::to_owned).into();
    if schema["type"] == "integer" {
        let numbers = [
            "",
            "abc",
            "1.5",
            "1e3",
            "NaN",
            "Infinity",
            "-",
            "0x10",
            "%D9%A1",
            "null",
            "true",
            "1,2",
            "[]",
            "9223372036854775808",
            "-9223372036854775809",
        ];
        all.extend(numbers.map(str::to_owned));
        for (bound, by) in [("minimum", -1), ("maximum", 1)] {
            all.extend(schema[bound].as_i64().and_then(|bound: i64| bound.checked_add(by)).map(|beyond| beyond.to_string()));
        }
    }
    if schema["enum"].is_array() {
        all.extend(["", "OPEN", "null", "x", "open,closed"].map(str::to_owned));
    }
    if schema["type"] == "boolean" {
        all.extend(["", "1", "yes", "TRUE", "null"].map(str::to_owned));
    }
    if let Some(most) = schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok()) {
        all.push("x".repeat(most + 1));
    }
    if name == "cursor" {
        all.extend(["", "x", "AAAA", "null", "AQAAAAAAAAAAAAAAAAAAAA%3D%3D", "__________________________"].map(str::to_owned));
        all.push("A".repeat(5000));
    }
    all
}

/// Whole bodies that are no good for any operation.
pub(crate) fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("no body", Vec::new()),
        ("null", b"null".to_vec()),
        ("a list", b"[]".to_vec()),
        ("a string", b"\"x\"".to_vec()),
        ("a number", b"5".to_vec()),
        ("half an object", b"{".to_vec()),
        ("two objects", b"{}{}".to_vec()),
        ("a comma too many", b"{\"a\":1,}".to_vec()),
        ("a comment", b"{/**/}".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("UTF-16", "{}".encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("bytes that are no UTF-8", b"\xff\xfe{}".to_vec()),
        ("NUL alone", vec![0]),
        ("a name that is no UTF-8", b"{\"\xff\":1}".to_vec()),
        ("a deep list", "[".repeat(100_000).into_bytes()),
        ("an object without an end", "{\"a\":".repeat(100_000).into_bytes()),
        ("more than 1 MiB", format!("{{\"x\":\"{}\"}}", "x".repeat(1 << 20)).into_bytes()),
    ]
}

/// Forms of nobody.
pub(crate) fn forms() -> Vec<Vec<u8>> {
    let sid = crate::support::SID;
    let mut forms: Vec<Vec<u8>> = [
        "",
        "x",
        "AccountSid",
        "AccountSid=",
        "AccountSid=%00",
        "AccountSid=%FF",
        "AccountSid=AC&AccountSid=AC",
        "%00=%00",
        "AccountSid=AC9",
    ]
    .map(|form| form.into())
    .into();
    forms.extend(
        [format!("AccountSid={sid}&Body=%FF%00"), format!("AccountSid={sid}&MessageSid={}", "x".repeat(9000))].map(String::into_bytes),
    );
    forms.extend([b"\xff\xfe".to_vec(), b"AccountSid=\xff".to_vec(), vec![0; 100], vec![b'a'; (1 << 20) + 1]]);
    forms
}

/// Forms that hold no file, or not one: what, content type, body.
pub(crate) fn parts() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    const FORM: &str = "multipart/form-data; boundary=x";
    let part = |head: &str, content: &[u8]| [b"--x\r\n", head.as_bytes(), b"\r\n\r\n", content, b"\r\n"].concat();
    let file = part("Content-Disposition: form-data; name=\"file\"; filename=\"a\"", b"Hello");
    let ended = |parts: &[&[u8]]| [&parts.concat()[..], b"--x--\r\n"].concat();
    vec![
        ("no body", FORM, Vec::new()),
        ("bytes", FORM, vec![0xff; 100]),
        ("NUL alone", FORM, vec![0]),
        ("JSON", FORM, b"{\"file\": 1}".to_vec()),
        ("no part", FORM, ended(&[])),
        ("another part", FORM, ended(&[&part("Content-Disposition: form-data; name=\"photo\"; filename=\"a\"", b"Hello")])),
        ("a part without a name", FORM, ended(&[&part("Content-Type: image/png", b"Hello")])),
        ("a head that is none", FORM, ended(&[&part("\u{1F44D}: \0", b"Hello")])),
        (
            "a name that is no UTF-8",
            FORM,
            ended(&[&[b"--x\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\nHello\r\n"[..].to_vec()].concat()]),
        ),
        ("an empty file", FORM, ended(&[&part("Content-Disposition: form-data; name=\"file\"; filename=\"a\"", b"")])),
        ("two files", FORM, ended(&[&file, &file])),
        ("a file without an end", FORM, file.clone()),
        ("half a file", FORM, file[..file.len() - 4].to_vec()),
        ("another boundary", "multipart/form-data; boundary=y", ended(&[&file])),
        ("no boundary", "multipart/form-data", ended(&[&file])),
        ("an empty boundary", "multipart/form-data; boundary=", ended(&[&file])),
        ("another type", "multipart/mixed; boundary=x", ended(&[&file])),
        ("JSON's type", "application/json", ended(&[&file])),
        ("no type", "", ended(&[&file])),
        ("a type that is none", "\u{e4}", ended(&[&file])),
    ]
}
