//! Where a number is from, as far as Twilio's webhooks say: a few area codes, so that a demo looks alive. Of every
//! other number only the country is known, or nothing; Twilio leaves such fields empty, too.

use super::whatsapp;

/// What a webhook says of a number. Unknown parts are empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) city: &'static str,
    pub(crate) state: &'static str,
    pub(crate) zip: &'static str,
    pub(crate) country: &'static str,
}

/// Area codes of the North American Numbering Plan.
const AREAS: &[(&str, Place)] = &[
    ("+1206", Place { city: "SEATTLE", state: "WA", zip: "98101", country: "US" }),
    ("+1212", Place { city: "NEW YORK", state: "NY", zip: "10001", country: "US" }),
    ("+1312", Place { city: "CHICAGO", state: "IL", zip: "60601", country: "US" }),
    ("+1415", Place { city: "SAN FRANCISCO", state: "CA", zip: "94103", country: "US" }),
    ("+1503", Place { city: "PORTLAND", state: "OR", zip: "97201", country: "US" }),
    ("+1512", Place { city: "AUSTIN", state: "TX", zip: "78701", country: "US" }),
    ("+1617", Place { city: "BOSTON", state: "MA", zip: "02108", country: "US" }),
];

/// Country codes, longest first where they overlap.
const COUNTRIES: &[(&str, &str)] =
    &[("+1", "US"), ("+31", "NL"), ("+33", "FR"), ("+34", "ES"), ("+39", "IT"), ("+41", "CH"), ("+43", "AT"), ("+44", "GB"), ("+49", "DE")];

/// Looks a number up.
pub(crate) fn of(number: &str) -> Place {
    let number = whatsapp::bare(number);
    if let Some((_, place)) = AREAS.iter().find(|(prefix, _)| number.starts_with(prefix)) {
        return *place;
    }
    let country = COUNTRIES.iter().find(|(prefix, _)| number.starts_with(prefix)).map_or("", |(_, country)| country);
    Place { country, ..Place::default() }
}
