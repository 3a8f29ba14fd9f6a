//! The ledger of opt-outs on the wire.

use parlance_model::clock::iso8601;
use parlance_model::contact::IdentityKind;
use parlance_model::opt_out::{self as model, OptSource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{Text, Word};

/// What the ledger says of a number or address.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OptOut {
    /// What kind of address it is.
    kind: Word<IdentityKind>,
    /// E.164 for numbers.
    value: String,
    /// Whether sending is refused.
    opted_out: bool,
    /// Who wrote this: the contact by a keyword, the provider, or staff. Null when nobody ever wrote anything.
    source: Option<Word<OptSource>>,
    /// When it was written.
    at: Option<String>,
    /// The contact whom it belongs to.
    contact_id: Option<i64>,
}

impl From<model::OptOut> for OptOut {
    fn from(from: model::OptOut) -> Self {
        Self {
            kind: Word(from.identity.kind),
            value: from.identity.value,
            opted_out: from.opted_out,
            source: from.written.map(|(source, _)| Word(source)),
            at: from.written.map(|(_, at_ms)| iso8601(at_ms)),
            contact_id: from.contact_id.map(|id| id.0),
        }
    }
}

/// Writes the ledger. What it says already stays as it is.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SetOptOut {
    /// The number; best in E.164 form.
    phone: Text<64>,
    /// True: nothing more is sent to it. False: it may be written to again.
    opted_out: bool,
}

impl SetOptOut {
    /// The number, and whether it is opted out.
    pub(crate) fn read(self) -> (String, bool) {
        (self.phone.into_inner(), self.opted_out)
    }
}
