//! What must not stand in a log: numbers, addresses, names and texts of people. Types that carry them print without them.

use std::fmt;

/// Shows enough of a number or an e-mail address to tell two apart, and not enough to use it: `+1555•••4567`,
/// `j•••@e•••.com`. Of anything else, only how long it is.
#[derive(Clone, Copy)]
pub struct Masked<'a>(pub &'a str);

/// What stands for what is left out.
const HIDDEN: &str = "•••";

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0;
        if let Some((local, domain)) = text.rsplit_once('@').filter(|(local, domain)| !local.is_empty() && domain.contains('.')) {
            let first = |text: &str| text.chars().next().unwrap_or('?');
            let (name, top) = domain.rsplit_once('.').unwrap_or((domain, ""));
            return write!(f, "{}{HIDDEN}@{}{HIDDEN}.{top}", first(local), first(name));
        }
        let digits = text.strip_prefix('+').unwrap_or(text);
        // A shorter number would show all of itself.
        if text.len() >= 11 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return write!(f, "{}{HIDDEN}{}", &text[..text.len() - 7], &text[text.len() - 4..]);
        }
        write!(f, "{HIDDEN}({} characters)", text.chars().count())
    }
}

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Implements `Debug` for a type with people's data in it: shows the fields that are named, and leaves out all others, also those
/// that are added later.
#[macro_export]
macro_rules! show_only {
    ($name:ty { $($field:ident),* $(,)? }) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))*.finish_non_exhaustive()
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::Masked;

    #[test]
    fn two_can_be_told_apart_and_neither_can_be_used() {
        for (text, masked) in [
            ("+15551234567", "+1555•••4567"),
            ("+4930901820", "+493•••1820"),
            ("15551234567", "1555•••4567"),
            ("john.doe@example.com", "j•••@e•••.com"),
            ("ü@example.co.uk", "ü•••@e•••.uk"),
            ("262966", "•••(6 characters)"),
            ("DHL", "•••(3 characters)"),
            ("John Doe", "•••(8 characters)"),
            ("", "•••(0 characters)"),
            ("@", "•••(1 characters)"),
        ] {
            assert_eq!(Masked(text).to_string(), masked);
        }
    }
}
