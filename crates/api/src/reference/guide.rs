//! The guides: one Markdown file each, and CommonMark as HTML.

use pulldown_cmark::{Options, Parser, html};
use serde::Serialize;

/// A guide as the page shows it.
#[derive(Debug, Serialize)]
pub(super) struct Guide {
    /// Its anchor.
    id: &'static str,
    /// Its heading.
    title: &'static str,
    /// Its text, as HTML.
    text: String,
}

macro_rules! guides {
    ($($id:literal $title:literal),+ $(,)?) => {
        /// Every guide, in the order in which one reads them.
        pub(super) fn all() -> Vec<Guide> {
            vec![$(Guide { id: $id, title: $title, text: html(include_str!(concat!("guides/", $id, ".md"))) }),+]
        }
    };
}

guides![
    "start" "First steps",
    "authentication" "Authentication",
    "values" "Ids, times and envelopes",
    "paging" "Paging",
    "sending" "Sending",
    "idempotency" "Idempotency",
    "errors" "Errors",
    "limits" "Limits",
    "changes" "How the API changes",
];

/// CommonMark with tables, as HTML. Only texts of this repository are given to it.
pub(super) fn html(markdown: &str) -> String {
    let mut text = String::new();
    html::push_html(&mut text, Parser::new_ext(markdown, Options::ENABLE_TABLES));
    text
}
