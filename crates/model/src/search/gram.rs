//! Finding a piece anywhere in a name, a number or an address: grams of three characters, of which each character of
//! the text begins one. They narrow the search down; what is found is compared with the row.

use std::collections::BTreeSet;

use unicode_normalization::char::is_combining_mark;

/// Characters of a gram.
const SIZE: usize = 3;

/// What an index must have for a text to be found by a needle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Piece {
    /// This gram.
    Gram(String),
    /// A gram that begins so.
    Begin(String),
}

/// Stands for every character that is neither letter, mark nor digit, so that grams are plain words to any index.
const OTHER: char = '#';

fn plain(c: char) -> char {
    if c.is_alphanumeric() || is_combining_mark(c) { c } else { OTHER }
}

fn runs(folded: &str) -> impl Iterator<Item = Vec<char>> {
    folded.split_whitespace().map(|run| run.chars().map(plain).collect())
}

/// The grams of a folded text ([`fold`](crate::text::fold)), each once.
#[must_use]
pub fn grams(folded: &str) -> BTreeSet<String> {
    runs(folded).flat_map(|run| (0..run.len()).map(move |at| run[at..run.len().min(at + SIZE)].iter().collect())).collect()
}

/// What every text has that holds this folded needle. Empty when the needle has nothing but blanks.
#[must_use]
pub fn pieces(needle: &str) -> BTreeSet<Piece> {
    let of = |run: Vec<char>| -> Vec<Piece> {
        if run.len() < SIZE {
            return vec![Piece::Begin(run.into_iter().collect())];
        }
        run.windows(SIZE).map(|gram| Piece::Gram(gram.iter().collect())).collect()
    };
    runs(needle).flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::fold;

    proptest! {
        #[test]
        fn whoever_holds_a_needle_has_its_pieces(text in "[a-c雷é@. %\n]{0,12}", from in 0_usize..12, len in 1_usize..8) {
            let folded = fold(&text);
            let needle: String = folded.chars().skip(from).take(len).collect();
            let own = grams(&folded);
            for piece in pieces(&needle) {
                let has = match &piece {
                    Piece::Gram(gram) => own.contains(gram),
                    Piece::Begin(begin) => own.iter().any(|gram| gram.starts_with(begin.as_str())),
                };
                prop_assert!(has, "{:?} of {:?} is not in {:?}", piece, needle, own);
            }
        }
    }

    #[test]
    fn a_short_piece_is_the_beginning_of_a_gram() {
        assert_eq!(pieces("ad"), BTreeSet::from([Piece::Begin("ad".into())]));
        assert_eq!(pieces("a@b."), BTreeSet::from([Piece::Gram("a#b".into()), Piece::Gram("#b#".into())]));
        assert_eq!(pieces("  "), BTreeSet::new());
    }
}
