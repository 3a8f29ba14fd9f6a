//! One statement for many rows: the text of a statement for one row, made into one that takes a column of values for each
//! parameter, so that many rows cost one round trip.

use parlance_model::{Error, Result};
use postgres::types::Type;

/// The text for many rows. `$1` stays one value for all; every further parameter is a column, of the type that it has in the text for one
/// row. A query answers its rows in the order of the columns' values, an insert draws ids in it, and the rows of an update must differ.
///
/// # Errors
/// `internal` for a text of another shape: an insert needs VALUES, an update or a deletion WHERE, and each a value beside `$1`. Of what else a
/// text may have nothing is checked: no dollar sign or bracket in a literal, no second row of VALUES, no WHERE but the statement's own.
pub(super) fn text(one: &str, types: &[Type]) -> Result<String> {
    let shape = || Error::internal(format!("a statement that cannot take many rows: {one}"));
    if types.len() < 2 {
        return Err(shape());
    }
    let (rows, by_row) = (rows(types), by_row(one));
    match one.split_ascii_whitespace().next() {
        Some("SELECT") => Ok(format!("SELECT found.* FROM {rows} CROSS JOIN LATERAL ({by_row}) AS found ORDER BY p.nth")),
        Some("INSERT") => {
            let (before, values) = by_row.split_once("VALUES (").ok_or_else(shape)?;
            let end = closing(values).ok_or_else(shape)?;
            Ok(format!("{before}SELECT {} FROM {rows} ORDER BY p.nth{}", &values[..end], &values[end + 1..]))
        }
        Some(verb @ ("UPDATE" | "DELETE")) => {
            let (before, condition) = by_row.split_once("WHERE ").ok_or_else(shape)?;
            let joined = if verb == "UPDATE" { "FROM" } else { "USING" };
            Ok(format!("{before}{joined} {rows} WHERE {condition}"))
        }
        _ => Err(shape()),
    }
}

/// The columns as a table `p` with a number for each row.
fn rows(types: &[Type]) -> String {
    let arrays: Vec<_> = types.iter().enumerate().skip(1).map(|(at, kind)| format!("${}::{}[]", at + 1, kind.name())).collect();
    let names: Vec<_> = (2..=types.len()).map(|number| format!("v{number}")).collect();
    format!("UNNEST({}) WITH ORDINALITY AS p({}, nth)", arrays.join(", "), names.join(", "))
}

/// The text with the row's value in place of each parameter but the first.
fn by_row(one: &str) -> String {
    let mut pieces = one.split('$');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        text.push_str(if &piece[..digits] == "1" { "$" } else { "p.v" });
        text.push_str(piece);
    }
    text
}

/// Where the bracket closes that was opened before the text.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1;
    for (at, sign) in text.char_indices() {
        open += match sign {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if open == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use parlance_testkit::postgres_url;
    use postgres::types::Type;

    use super::super::{Connection, WRITING};
    use super::text;

    const TYPES: [Type; 3] = [Type::INT8, Type::INT8, Type::TEXT];
    const ROWS: &str = "UNNEST($2::int8[], $3::text[]) WITH ORDINALITY AS p(v2, v3, nth)";

    #[test]
    fn inserts_take_their_values_from_columns() {
        let one = "INSERT INTO t (a, b, c, d) VALUES ($1, $2, lower($3), 'x') ON CONFLICT (a) DO NOTHING RETURNING id";
        let many = format!(
            "INSERT INTO t (a, b, c, d) SELECT $1, p.v2, lower(p.v3), 'x' FROM {ROWS} ORDER BY p.nth ON CONFLICT (a) DO NOTHING RETURNING id"
        );
        assert_eq!(text(one, &TYPES).unwrap(), many);
    }

    #[test]
    fn queries_run_beside_each_row() {
        let many = format!(
            "SELECT found.* FROM {ROWS} CROSS JOIN LATERAL (SELECT id FROM t WHERE a = $1 AND b = p.v2 AND c = p.v3) AS found ORDER BY p.nth"
        );
        assert_eq!(text("SELECT id FROM t WHERE a = $1 AND b = $2 AND c = $3", &TYPES).unwrap(), many);
    }

    #[test]
    fn updates_and_deletions_find_their_rows_by_columns() {
        let many = format!("UPDATE t SET c = p.v3 FROM {ROWS} WHERE a = $1 AND id = p.v2");
        assert_eq!(text("UPDATE t SET c = $3 WHERE a = $1 AND id = $2", &TYPES).unwrap(), many);
        let many = format!("DELETE FROM t USING {ROWS} WHERE a = $1 AND id = p.v2 AND c = p.v3");
        assert_eq!(text("DELETE FROM t WHERE a = $1 AND id = $2 AND c = $3", &TYPES).unwrap(), many);
    }

    /// To read a small table whole is cheaper, and the plan would be kept while the table grows.
    #[test]
    fn rows_are_found_by_their_keys_in_a_small_table_too() {
        let many = text("SELECT b FROM t WHERE a = $1 AND id = $2", &[Type::INT8, Type::INT8]).unwrap();
        let mut connection = Connection::open(&postgres_url(), WRITING).unwrap();
        let (client, _) = connection.split();
        let table = "CREATE TABLE t (a BIGINT, id BIGINT, b TEXT, PRIMARY KEY (a, id));
            INSERT INTO t SELECT 1, n, 'b' FROM generate_series(1, 200) AS n; ANALYZE t";
        client.batch_execute(&format!("{table}; PREPARE many (BIGINT, BIGINT[]) AS {many}")).unwrap();
        let plan = client.query("EXPLAIN EXECUTE many (1, '{1, 2, 3}')", &[]).unwrap();
        let plan: Vec<String> = plan.iter().map(|line| line.get(0)).collect();
        assert!(plan.iter().any(|line| line.contains("Index Scan using t_pkey on t")), "{plan:#?}");
    }

    #[test]
    fn other_shapes_are_refused() {
        for one in ["TRUNCATE t", "DELETE FROM t", "INSERT INTO t SELECT $2", "UPDATE t SET a = $2"] {
            assert!(text(one, &TYPES).is_err(), "{one}");
        }
    }
}
