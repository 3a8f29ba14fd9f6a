//! The rows of the index, and the texts that must differ: FTS5 on SQLite, with the org and the id packed into the rowid,
//! and tsvector on PostgreSQL, with the org's own lexeme. Neither database parses any text: tokens come from the model
//! and hold no sign that either would read.

use std::collections::BTreeSet;

use parlance_model::channel::Channel;
use parlance_model::message::Direction;
use parlance_model::search::{Piece, Term, grams, index_terms, of_message, tokens};
use parlance_model::{Error, Result};

use crate::OrgTx;
use crate::db::{Sql, params, row};

/// Ids of an org that a rowid can hold: 40 bits of 63.
const IDS: i64 = 1 << 40;

/// The statements on one table of the index.
pub(crate) struct Table {
    insert: Sql,
    delete: Sql,
    clear: Sql,
    find: Sql,
    ids: Sql,
    newest: &'static str,
}

macro_rules! table {
    ($name:literal) => {
        Table {
            insert: Sql::differs(
                concat!("INSERT OR REPLACE INTO ", $name, " (rowid, tokens) VALUES ($1 * 1099511627776 + $2, $3)"),
                concat!(
                    "INSERT INTO ",
                    $name,
                    " (org_id, id, tokens) VALUES ($1, $2, CAST(CAST($3 AS TEXT) AS TSVECTOR)
                        || array_to_tsvector(ARRAY['=' || CAST(CAST($1 AS BIGINT) AS TEXT)]))
                      ON CONFLICT (org_id, id) DO UPDATE SET tokens = EXCLUDED.tokens"
                ),
            ),
            delete: Sql::differs(
                concat!("DELETE FROM ", $name, " WHERE rowid = $1 * 1099511627776 + $2"),
                concat!("DELETE FROM ", $name, " WHERE org_id = $1 AND id = $2"),
            ),
            clear: Sql::differs(
                concat!(
                    "DELETE FROM ",
                    $name,
                    " WHERE rowid IN (SELECT rowid FROM ",
                    $name,
                    " WHERE rowid >= $1 * 1099511627776 AND rowid < ($1 + 1) * 1099511627776 LIMIT $2)"
                ),
                concat!("DELETE FROM ", $name, " WHERE org_id = $1 AND id IN (SELECT id FROM ", $name, " WHERE org_id = $1 LIMIT $2)"),
            ),
            find: Sql::differs(
                concat!(
                    "SELECT rowid & 1099511627775 FROM ",
                    $name,
                    " WHERE ",
                    // The table and not its column: without positions FTS5 knows no columns.
                    $name,
                    " MATCH $2 AND rowid >= $1 * 1099511627776 + $3 AND rowid < $1 * 1099511627776 + $4
                      ORDER BY rowid DESC LIMIT $5"
                ),
                concat!(
                    "WITH found AS MATERIALIZED (SELECT id FROM ",
                    $name,
                    " WHERE org_id = $1 AND id >= $3 AND id < $4 AND tokens @@ (CAST(CAST($2 AS TEXT) AS TSQUERY)
                        && CAST('''=' || CAST(CAST($1 AS BIGINT) AS TEXT) || '''' AS TSQUERY)))
                      SELECT id FROM found ORDER BY id DESC LIMIT $5"
                ),
            ),
            ids: Sql::differs(
                concat!(
                    "SELECT rowid & 1099511627775 FROM ",
                    $name,
                    " WHERE rowid > $1 * 1099511627776 + $2 AND rowid <= $1 * 1099511627776 + $3 ORDER BY rowid LIMIT $4"
                ),
                concat!("SELECT id FROM ", $name, " WHERE org_id = $1 AND id > $2 AND id <= $3 ORDER BY id LIMIT $4"),
            ),
            newest: concat!("SELECT COALESCE(MAX(id), 0) FROM ", $name, " WHERE org_id = $1"),
        }
    };
}

/// Messages, by id.
pub(crate) const MESSAGE: Table = table!("search_message");
/// Contacts, by id * 2, and visitors of conversations, by the conversation's id * 2 + 1.
pub(crate) const PERSON: Table = table!("search_person");

impl Table {
    /// Writes rows of different ids, over those that are there already. They go in fastest in the order of their ids.
    pub(crate) fn insert(&self, tx: &mut OrgTx<'_, '_>, rows: &[(i64, String)]) -> Result<()> {
        if let Some((id, _)) = rows.iter().find(|(id, _)| *id >= IDS) {
            return Err(Error::internal(format!("id {id} is beyond what the index can hold")));
        }
        let rows: Vec<_> = rows.iter().map(|(id, tokens)| row![*id, tokens]).collect();
        tx.execute_each(self.insert, &rows).map(drop)
    }

    /// Takes rows away, where they are.
    pub(crate) fn delete(&self, tx: &mut OrgTx<'_, '_>, ids: impl IntoIterator<Item = i64>) -> Result<()> {
        let rows: Vec<_> = ids.into_iter().map(|id| row![id]).collect();
        tx.execute_each(self.delete, &rows).map(drop)
    }

    /// Takes up to `limit` rows of the org away. Answers whether there may be more.
    pub(crate) fn clear(&self, tx: &mut OrgTx<'_, '_>, limit: i64) -> Result<bool> {
        let gone = tx.execute(self.clear, params![limit])?;
        Ok(i64::try_from(gone).map_err(Error::internal)? >= limit)
    }

    /// The newest `limit` rows below `before` that match, newest first.
    ///
    /// FTS5 walks the newest matches and stops. GIN knows no order and collects all that match: so PostgreSQL is asked for
    /// the newest ids first, and for ever more of them until there are enough.
    pub(crate) fn find(&self, tx: &mut OrgTx<'_, '_>, wanted: &Wanted, before: i64, limit: usize) -> Result<Vec<i64>> {
        let mut before = before.clamp(0, IDS);
        let mut found = Vec::new();
        let mut window = if tx.is_sqlite() {
            IDS
        } else {
            before = before.min(tx.query_one(self.newest, &[], |row| row.get::<i64>(0))? + 1);
            4096
        };
        let text = wanted.text(tx.is_sqlite());
        while before > 0 && found.len() < limit {
            let low = (before - window).max(0);
            let left = i64::try_from(limit - found.len()).map_err(Error::internal)?;
            found.extend(tx.query(self.find, params![&text, low, before, left], |row| row.get::<i64>(0))?);
            (before, window) = (low, window.saturating_mul(8));
        }
        Ok(found)
    }
}

impl Table {
    /// Whether the row has all of these tokens, which stand between blanks.
    pub(crate) fn has(&self, tx: &mut OrgTx<'_, '_>, id: i64, tokens: &str) -> Result<bool> {
        let wanted = Wanted::terms(tokens.split_whitespace().map(|token| Term::Word(token.to_owned())));
        let text = wanted.text(tx.is_sqlite());
        Ok(!tx.query(self.find, params![text, id, id + 1, 1], |row| row.get::<i64>(0))?.is_empty())
    }

    /// Up to `limit` rows behind `after`, up to `last`, in order.
    pub(crate) fn ids(&self, tx: &mut OrgTx<'_, '_>, after: i64, last: i64, limit: i64) -> Result<Vec<i64>> {
        tx.query(self.ids, params![after, last.min(IDS - 1), limit], |row| row.get::<i64>(0))
    }
}

/// The texts of searches with the index that each should read.
#[cfg(test)]
pub(crate) fn plans() -> [(Sql, &'static str); 3] {
    [(MESSAGE.find, "VIRTUAL TABLE INDEX"), (PERSON.find, "VIRTUAL TABLE INDEX"), (MESSAGE.ids, "VIRTUAL TABLE INDEX")]
}

/// What a row must have: all of these, and one of each group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    words: BTreeSet<String>,
    begins: BTreeSet<String>,
    groups: Vec<Vec<char>>,
}

impl Wanted {
    /// Also one of these facets; none asks for nothing.
    pub(crate) fn one_of(mut self, facets: Vec<char>) -> Self {
        if !facets.is_empty() {
            self.groups.push(facets);
        }
        self
    }

    pub(crate) fn terms(terms: impl IntoIterator<Item = Term>) -> Self {
        let mut wanted = Self::default();
        for term in terms {
            match term {
                Term::Word(word) => wanted.words.insert(word),
                Term::Begin(begin) => wanted.begins.insert(begin),
            };
        }
        wanted
    }

    /// All of these pieces, of a person of this kind.
    pub(crate) fn pieces(pieces: impl IntoIterator<Item = Piece>, kind: char) -> Self {
        Self::terms(pieces.into_iter().map(|piece| match piece {
            Piece::Gram(gram) => Term::Word(format!("{kind}{gram}")),
            Piece::Begin(begin) => Term::Begin(format!("{kind}{begin}")),
        }))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.begins.is_empty() && self.groups.is_empty()
    }

    /// In the language of FTS5, or of tsquery.
    fn text(&self, sqlite: bool) -> String {
        let (quote, star, and, or) = if sqlite { ("\"", "*", " AND ", " OR ") } else { ("'", ":*", " & ", " | ") };
        let quoted = |word: &str| format!("{quote}{word}{quote}");
        let words = self.words.iter().map(|word| quoted(word));
        let begins = self.begins.iter().map(|begin| format!("{}{star}", quoted(begin)));
        let groups = self.groups.iter().map(|group| {
            let facets: Vec<String> = group.iter().map(|facet| quoted(facet.encode_utf8(&mut [0; 4]))).collect();
            format!("({})", facets.join(or))
        });
        words.chain(begins).chain(groups).collect::<Vec<_>>().join(and)
    }
}

/// What is indexed of a message.
#[derive(Debug, Clone)]
pub(crate) struct Indexed {
    pub(crate) id: i64,
    pub(crate) channel: Channel,
    pub(crate) direction: Direction,
    pub(crate) body: String,
    pub(crate) media: bool,
    pub(crate) at_ms: i64,
}

/// The columns of [`Indexed::read`].
macro_rules! indexed_columns {
    () => {
        "id, channel, direction, body, attachments IS NOT NULL, at_ms"
    };
}
pub(crate) use indexed_columns;

impl Indexed {
    pub(crate) fn read(row: &crate::db::Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            channel: row.word(1)?,
            direction: row.word(2)?,
            body: row.get(3)?,
            media: row.get(4)?,
            at_ms: row.get(5)?,
        })
    }
}

/// The words of a message's row, each once, and its facets.
pub(crate) fn message_tokens(message: &Indexed) -> String {
    let tokens = tokens(&message.body);
    let words: BTreeSet<_> = index_terms(&tokens).collect();
    let mut text = String::with_capacity(message.body.len() + 32);
    for word in &words {
        text.push_str(word);
        text.push(' ');
    }
    for facet in of_message(message.channel, message.direction, message.media, message.at_ms) {
        text.push(facet);
        text.push(' ');
    }
    text
}

/// The grams of a person's row, each once and begun with the kind; `None` where there is nothing to find. As a token of its own, which every
/// row had, the kind would make each search read about all of them.
pub(crate) fn person_tokens(text: &str, kind: char) -> Option<String> {
    let tokens: Vec<_> = grams(text).into_iter().map(|gram| format!("{kind}{gram}")).collect();
    (!tokens.is_empty()).then(|| tokens.join(" "))
}
