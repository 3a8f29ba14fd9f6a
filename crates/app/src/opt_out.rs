//! The opt-out ledger as staff see and write it.

use parlance_model::Result;
use parlance_model::audit::{Act, Action, Subject, SubjectKind};
use parlance_model::contact::Identity;
use parlance_model::key::Principal;
use parlance_model::opt_out::{OptOut, OptSource};
use parlance_model::phone::Phone;
use parlance_store::{OrgTx, opt_out, org};

use crate::App;
use crate::page::{Cursor, Page, PageRequest};

impl App {
    /// A page of the ledger, latest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn opt_outs(&self, who: &Principal, page: PageRequest) -> Result<Page<OptOut>> {
        let read = move |tx: &mut OrgTx<'_, '_>| {
            let after = page.after().map(|cursor| opt_out::After { at_ms: cursor.at_ms, id: cursor.id });
            let rows = opt_out::list(tx, after, page.limit + 1, page.offset())?;
            let total = opt_out::total(tx)?;
            let page = Page::cut(rows, page.limit, (total.n, total.bounded), |row| Cursor { at_ms: row.place.at_ms, id: row.place.id });
            Ok(page.map(|row| row.entry))
        };
        self.store().read(who.org, read).await
    }

    /// Writes down what somebody told the staff: whether this number may be written to. What it says already stays as it is.
    ///
    /// # Errors
    /// `validation_failed` on the number.
    pub async fn set_opt_out(&self, who: &Principal, phone: String, opted_out: bool) -> Result<OptOut> {
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let identity = Identity::phone(&Phone::parse(&phone, org::current(tx)?.region)?);
            let written = opt_out::set(tx, &identity, opted_out, OptSource::Staff)?;
            let entry = opt_out::get(tx, &identity)?;
            if let Some(id) = written {
                let act = Act::new(Action::OptOutSet, Subject { kind: SubjectKind::OptOut, id }).with("phone", identity.value.as_str());
                let act = act.with("contact_id", entry.contact_id.map(|id| id.0));
                tx.audit(&act.changed("opted_out", !opted_out, opted_out))?;
            }
            Ok(entry)
        };
        self.write_as(who, write).await
    }
}
