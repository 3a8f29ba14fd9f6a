//! What search compares: the tokens of a text, the words and operators of a query, the facets beside the words, and
//! the part of a message that an answer shows. Both databases index exactly what is made here, so both answer the same.

mod facet;
mod gram;
mod query;
mod snippet;
mod token;

pub use facet::{KIND_CONTACT, KIND_VISITOR, between, of_channel, of_message, outbound, with_media};
pub use gram::{Piece, grams, pieces};
pub use query::{Phrase, Query, Sender, Term};
pub use snippet::{Part, snippet};
pub use token::{Token, index_terms, tokens};

/// The form of all of the above. An index that was made with another is made anew.
pub const VERSION: i64 = 3;
