//! Finding a piece anywhere in a name, a number or an address: grams of three characters, of which each character of
//! the text begins one. Numbers have grams of six digits besides: three digits are in many numbers, and the last six of one in few.
//! They narrow the search down; what is found is compared with the row.

use std::collections::BTreeSet;
use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

/// Characters of a gram.
const SIZE: usize = 3;
/// Digits of a number's gram.
const DIGITS: usize = 6;

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

/// Where so many digits stand in a row that they are looked for as a number.
fn numbers(run: &[char]) -> impl Iterator<Item = Range<usize>> {
    let stretches = run.chunk_by(|one, next| one.is_ascii_digit() == next.is_ascii_digit());
    let mut from = 0;
    let placed = stretches.map(move |stretch| {
        from += stretch.len();
        (stretch[0].is_ascii_digit() && stretch.len() >= DIGITS).then_some(from - stretch.len()..from)
    });
    placed.flatten()
}

/// The grams of a folded text ([`fold`](crate::text::fold)), each once.
#[must_use]
pub fn grams(folded: &str) -> BTreeSet<String> {
    let mut grams = BTreeSet::new();
    for run in runs(folded) {
        grams.extend((0..run.len()).map(|at| run[at..run.len().min(at + SIZE)].iter().collect::<String>()));
        for number in numbers(&run) {
            grams.extend(run[number].windows(DIGITS).map(|gram| gram.iter().collect::<String>()));
        }
    }
    grams
}

/// What every text has that holds this folded needle. Empty when the needle has nothing but blanks.
#[must_use]
pub fn pieces(needle: &str) -> BTreeSet<Piece> {
    let mut pieces = BTreeSet::new();
    for run in runs(needle) {
        if run.len() < SIZE {
            pieces.insert(Piece::Begin(run.into_iter().collect()));
            continue;
        }
        let gram = |gram: &[char]| Piece::Gram(gram.iter().collect());
        let numbers: Vec<_> = numbers(&run).collect();
        // How a number begins, it shares with many: its end says enough, and reading what many share takes as long as they are many.
        pieces.extend(numbers.iter().map(|number| gram(&run[number.end - DIGITS..number.end])));
        let in_number = |at: usize| numbers.iter().any(|number| number.start <= at && at + SIZE <= number.end);
        pieces.extend(run.windows(SIZE).enumerate().filter(|(at, _)| !in_number(*at)).map(|(_, of)| gram(of)));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::fold;

    proptest! {
        #[test]
        fn whoever_holds_a_needle_has_its_pieces(text in "[a-c雷é@. %\n]{0,12}|[12+]{0,24}", from in 0_usize..24, len in 1_usize..16) {
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

    #[test]
    fn a_number_is_its_last_six_digits() {
        let grams = |grams: &[&str]| grams.iter().map(|gram| Piece::Gram((*gram).to_owned())).collect::<BTreeSet<_>>();
        assert_eq!(pieces("15551234567"), grams(&["234567"]));
        assert_eq!(pieces("12345"), grams(&["123", "234", "345"]));
        assert_eq!(pieces("+123456a 654321"), grams(&["#12", "123456", "56a", "654321"]));
        assert!(super::grams("+1555").iter().all(|gram| gram.chars().count() <= SIZE));
    }
}
