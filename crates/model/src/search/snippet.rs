//! The part of a message that an answer shows: about two lines around the first match, as pieces of text of which
//! some matched. No markup, so that no client has to trust any.

use std::ops::Range;

/// A piece of a snippet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The text.
    pub text: String,
    /// Whether it is what was looked for.
    pub matched: bool,
}

/// Characters before the first match.
const BEFORE: usize = 60;
/// Characters in all.
const LENGTH: usize = 200;

/// The snippet of a text in which these ranges of bytes matched, in any order. Without any, its beginning. White space
/// becomes one blank, and an ellipsis stands where the text goes on.
#[must_use]
pub fn snippet(text: &str, matches: &[Range<usize>]) -> Vec<Part> {
    let first = matches.iter().map(|range| range.start).min().unwrap_or(0);
    let start = text[..first].char_indices().rev().nth(BEFORE).map_or(0, |(at, _)| word_start(text, at, first));
    let end = text[start..].char_indices().nth(LENGTH).map_or(text.len(), |(at, _)| start + at);
    let mut parts = Parts(Vec::new());
    if start > 0 {
        parts.push('…', false);
    }
    for (at, c) in text[start..end].char_indices() {
        let at = start + at;
        parts.push(c, matches.iter().any(|range| range.contains(&at)));
    }
    if end < text.len() {
        parts.push('…', false);
    }
    parts.0
}

/// The first beginning of a word behind `at` and before `first`; `at` itself where the text has none.
fn word_start(text: &str, at: usize, first: usize) -> usize {
    let blank = text[at..first].char_indices().find(|(_, c)| c.is_whitespace());
    blank.map_or(at, |(offset, c)| at + offset + c.len_utf8())
}

struct Parts(Vec<Part>);

impl Parts {
    fn push(&mut self, c: char, matched: bool) {
        let blank = c.is_whitespace();
        if blank && self.0.last().is_none_or(|last| last.text.ends_with(' ')) {
            return;
        }
        let c = if blank { ' ' } else { c };
        match self.0.last_mut() {
            Some(last) if last.matched == matched => last.text.push(c),
            _ => self.0.push(Part { text: c.to_string(), matched }),
        }
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one match")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked(text: &str, matches: &[Range<usize>]) -> String {
        let parts = snippet(text, matches);
        parts.iter().map(|part| if part.matched { format!("[{}]", part.text) } else { part.text.clone() }).collect()
    }

    #[test]
    fn matches_stand_apart_and_long_texts_are_cut() {
        assert_eq!(marked("My  refund,\nplease", &[4..10]), "My [refund], please");
        assert_eq!(marked("no match", &[]), "no match");
        let long = format!("{}needle{}", "hay ".repeat(100), " straw".repeat(100));
        let shown = marked(&long, &[400..406]);
        assert!(shown.starts_with("…hay ") && shown.contains(" [needle] straw") && shown.ends_with('…'), "{shown}");
        assert!(shown.chars().count() < LENGTH + 5);
    }

    proptest! {
        #[test]
        fn any_text_has_a_snippet(text in any::<String>(), from in 0_usize..40, to in 0_usize..40) {
            let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let (from, to) = (ends[from.min(ends.len() - 1)], ends[to.min(ends.len() - 1)]);
            let shown: usize = snippet(&text, &[from.min(to)..from.max(to)]).iter().map(|part| part.text.chars().count()).sum();
            prop_assert!(shown <= LENGTH + 2);
        }
    }
}
