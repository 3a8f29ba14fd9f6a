//! The OpenAPI document as the page shows it.

use serde::Serialize;
use serde_json::{Map, Value};

use super::guide::{self, Guide, html};
use super::schema::{Row, follow, note, row, rows};
use crate::problem;

/// Everything on the page.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    version: String,
    guides: Vec<Guide>,
    groups: Vec<Group>,
    problems: Vec<ProblemRow>,
}

/// The operations of a tag.
#[derive(Debug, Serialize)]
struct Group {
    name: String,
    title: String,
    text: String,
    operations: Vec<Operation>,
}

#[derive(Debug, Serialize)]
struct Operation {
    id: String,
    /// The id in words.
    name: String,
    method: String,
    path: String,
    summary: String,
    text: String,
    permission: String,
    scope: String,
    is_public: bool,
    parameters: Vec<Row>,
    headers: Vec<Row>,
    body: Option<Content>,
    answers: Vec<Answered>,
    problems: Vec<ProblemRow>,
    curl: String,
}

/// A body with its fields and an example.
#[derive(Debug, Serialize)]
struct Content {
    media: String,
    note: String,
    rows: Vec<Row>,
    example: String,
}

/// An answer of success.
#[derive(Debug, Serialize)]
struct Answered {
    status: String,
    text: String,
    headers: Vec<String>,
    content: Option<Content>,
}

/// A published code.
#[derive(Debug, Serialize)]
struct ProblemRow {
    status: u16,
    code: &'static str,
    meaning: String,
    remedy: String,
}

/// Reads the document.
pub(super) fn page(document: &Value) -> Page {
    let tags = document["tags"].as_array().into_iter().flatten();
    let groups = tags.map(|tag| Group {
        name: word(tag, "name"),
        title: capital(&word(tag, "name")),
        text: word(tag, "description"),
        operations: operations(document)
            .filter(|(_, _, value)| value["tags"][0] == tag["name"])
            .map(|found| operation(document, found))
            .collect(),
    });
    Page {
        version: word(&document["info"], "version"),
        guides: guide::all(),
        groups: groups.collect(),
        problems: problem::KNOWN.iter().map(problem_row).collect(),
    }
}

type Found<'a> = (&'a str, &'a str, &'a Value);

fn operations(document: &Value) -> impl Iterator<Item = Found<'_>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, item)| item.as_object().into_iter().flatten().map(move |(method, value)| (path.as_str(), method.as_str(), value)))
}

fn operation(document: &Value, (path, method, value): Found<'_>) -> Operation {
    let parameters: Vec<&Value> =
        value["parameters"].as_array().into_iter().flatten().map(|parameter| follow(document, parameter)).collect();
    let place = |wanted: fn(&Value) -> bool| {
        let of = parameters.iter().filter(|parameter| wanted(&parameter["in"]));
        of.map(|parameter| of_parameter(document, parameter)).collect()
    };
    let responses = || value["responses"].as_object().into_iter().flatten();
    let body = contents(document, &value["requestBody"]["content"]);
    Operation {
        id: word(value, "operationId"),
        name: in_words(&word(value, "operationId")),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: word(value, "summary"),
        text: html(&word(value, "description")),
        permission: word(value, "x-permission"),
        scope: word(value, "x-scope"),
        is_public: value["security"].as_array().is_none_or(Vec::is_empty),
        parameters: place(|kind| kind != "header"),
        headers: place(|kind| kind == "header"),
        curl: curl(path, method, value, &parameters),
        body,
        answers: responses()
            .filter(|(status, _)| status.as_str() < "400")
            .map(|(status, answer)| answered(document, status, answer))
            .collect(),
        problems: responses().flat_map(|(_, answer)| codes(document, answer)).collect(),
    }
}

fn of_parameter(document: &Value, parameter: &Value) -> Row {
    let required = parameter["required"] == true;
    row(document, &word(parameter, "name"), &parameter["schema"], &word(parameter, "description"), required)
}

fn contents(document: &Value, content: &Value) -> Option<Content> {
    let (media, content) = content.as_object()?.iter().next()?;
    let example = &content["example"];
    let example = example.as_str().map_or_else(|| serde_json::to_string_pretty(example).unwrap_or_default(), str::to_owned);
    Some(Content { media: media.clone(), note: note(document, &content["schema"]), rows: rows(document, &content["schema"]), example })
}

fn answered(document: &Value, status: &str, answer: &Value) -> Answered {
    let answer = follow(document, answer);
    let headers: Option<&Map<String, Value>> = answer["headers"].as_object();
    Answered {
        status: status.to_owned(),
        text: word(answer, "description"),
        headers: headers.into_iter().flatten().map(|(name, _)| name.clone()).collect(),
        content: contents(document, &answer["content"]),
    }
}

fn codes(document: &Value, answer: &Value) -> Vec<ProblemRow> {
    let examples = follow(document, answer)["content"][problem::MEDIA_TYPE]["examples"].as_object();
    examples.into_iter().flatten().filter_map(|(code, _)| problem::known(code)).map(problem_row).collect()
}

fn problem_row(known: &problem::Known) -> ProblemRow {
    ProblemRow { status: known.status.as_u16(), code: known.code, meaning: html(known.meaning), remedy: html(known.remedy) }
}

/// A call that can be pasted into a shell which has `PARLANCE_URL` and `PARLANCE_KEY`.
fn curl(path: &str, method: &str, value: &Value, parameters: &[&Value]) -> String {
    let mut path = path.to_owned();
    for parameter in parameters.iter().filter(|parameter| parameter["in"] == "path") {
        path = path.replace(&format!("{{{}}}", word(parameter, "name")), &plain(&parameter["example"]));
    }
    let verb = if method == "get" { String::new() } else { format!(" -X {}", method.to_uppercase()) };
    let mut lines = vec![format!("curl{verb} \"$PARLANCE_URL{path}\"")];
    if value["security"].as_array().into_iter().flatten().any(|scheme| scheme.get("key").is_some()) {
        lines.push("  -H \"Authorization: Bearer $PARLANCE_KEY\"".to_owned());
    }
    let content = value["requestBody"]["content"].as_object().and_then(|content| content.iter().next());
    if let Some((media, body)) = content {
        let example = &body["example"];
        if media == "application/json" {
            lines.push("  -H 'Content-Type: application/json'".to_owned());
            let body = serde_json::to_string_pretty(example).unwrap_or_default();
            lines.push(format!("  -d '{}'", body.replace('\'', r"'\''")));
        } else if let Some(fields) = example.as_object() {
            lines.extend(fields.iter().map(|(name, value)| format!("  --data-urlencode '{name}={}'", plain(value))));
        }
    }
    lines.join(" \\\n")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn word(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// `listOptOuts` as `List opt outs`.
fn in_words(id: &str) -> String {
    let spaced = id.chars().flat_map(|letter| letter.is_uppercase().then_some(' ').into_iter().chain(letter.to_lowercase()));
    capital(&spaced.collect::<String>())
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
