//! `$n` to `?n`, outside of quotes.

/// The text with SQLite's positional parameters.
pub(crate) fn positional(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut quote = None;
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => {}
        }
        let parameter = quote.is_none() && c == '$' && chars.peek().is_some_and(char::is_ascii_digit);
        out.push(if parameter { '?' } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::positional;

    #[test]
    fn only_parameters_are_rewritten() {
        assert_eq!(positional("a = $2 AND b = $12 AND c = '$1' AND \"$3\" = $$"), "a = ?2 AND b = ?12 AND c = '$1' AND \"$3\" = $$");
    }
}
