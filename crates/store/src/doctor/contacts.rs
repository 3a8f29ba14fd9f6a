//! Each contact's redirect, and its row against its identities; and each identity's contact.

use std::collections::BTreeSet;

use parlance_model::Result;
use parlance_model::contact::{Contact, IdentityKind};
use parlance_model::id::{ContactId, OrgId};

use super::{CHUNK, Finding, Report, finding};
use crate::contact::{identities, search};
use crate::db::params;
use crate::{OrgTx, Store};

pub(super) async fn check(store: &Store, org: OrgId, report: &mut Report) -> Result<()> {
    let mut after = Some(ContactId(0));
    while let Some(start) = after {
        let (last, findings) = store.read(org, move |tx| contacts(tx, start)).await?;
        report.findings.extend(findings);
        after = last;
    }
    let mut after = Some((String::new(), String::new()));
    while let Some(start) = after {
        let (last, findings) = store.read(org, move |tx| owners(tx, &start)).await?;
        report.findings.extend(findings);
        after = last;
    }
    Ok(())
}

/// A contact's row with what only the doctor reads of it.
struct Kept {
    contact: Contact,
    search: String,
    redirect_to: Option<ContactId>,
    /// Living contacts at the end of the redirect.
    leads_to: i64,
}

fn contacts(tx: &mut OrgTx<'_, '_>, after: ContactId) -> Result<(Option<ContactId>, Vec<Finding>)> {
    const ROWS: &str = "SELECT id, first_name, last_name, phone, email, created_ms, updated_ms, search, redirect_to,
            (SELECT COUNT(*) FROM contact t WHERE t.org_id = c.org_id AND t.id = c.redirect_to AND t.redirect_to IS NULL)
        FROM contact c WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    let rows = tx.query(ROWS, params![after, CHUNK], |row| {
        let contact = crate::contact::read(row)?;
        Ok(Kept { contact, search: row.get(7)?, redirect_to: row.get(8)?, leads_to: row.get(9)? })
    })?;
    let mut findings = Vec::new();
    for row in &rows {
        match row.redirect_to {
            // One step to a living contact: so there is no circle.
            Some(to) if row.leads_to != 1 => {
                let detail = format!("{:?} leads to {to:?}, who is no living contact", row.contact.id);
                findings.push(finding(tx.org(), "redirects lead to living contacts", detail));
            }
            Some(_) => {}
            None => findings.extend(reached(tx, row)?),
        }
    }
    Ok((rows.last().map(|row| row.contact.id), findings))
}

/// What comes first is one of the contact's identities, and the search text has them all.
fn reached(tx: &mut OrgTx<'_, '_>, row: &Kept) -> Result<Option<Finding>> {
    let Kept { contact, search, .. } = row;
    let identities = identities(tx, contact.id)?;
    let first = |kind, kept: Option<&str>| {
        let mut own = identities.iter().filter(|identity| identity.kind == kind);
        match kept {
            Some(kept) => own.any(|identity| identity.value == kept),
            None => own.next().is_none(),
        }
    };
    // In any order, and without the empty lines of the first version.
    let lines = |text: &str| text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect::<BTreeSet<_>>();
    let expected = search::text_of(&contact.first_name, &contact.last_name, &identities);
    let fits = first(IdentityKind::Phone, contact.phone.as_deref())
        && first(IdentityKind::Email, contact.email.as_deref())
        && lines(search) == lines(&expected);
    let detail = || format!("{:?}: its number, address or search text is not that of its {} identities", contact.id, identities.len());
    Ok((!fits).then(|| finding(tx.org(), "contact rows equal their identities", detail())))
}

type Owners = (Option<(String, String)>, Vec<Finding>);

fn owners(tx: &mut OrgTx<'_, '_>, after: &(String, String)) -> Result<Owners> {
    const ROWS: &str = "SELECT i.kind, i.value, i.contact_id,
            (SELECT COUNT(*) FROM contact c WHERE c.org_id = i.org_id AND c.id = i.contact_id AND c.redirect_to IS NULL)
        FROM identity i WHERE i.org_id = $1 AND (i.kind, i.value) > ($2, $3) ORDER BY i.kind, i.value LIMIT $4";
    let rows = tx.query(ROWS, params![&after.0, &after.1, CHUNK], |row| {
        Ok(((row.get::<String>(0)?, row.get::<String>(1)?), row.get::<ContactId>(2)?, row.get::<i64>(3)?))
    })?;
    let dangling = rows.iter().filter(|(_, _, living)| *living != 1);
    let of = |((kind, value), contact, _): &(_, ContactId, i64)| {
        let (kind, value): (&String, &String) = (kind, value);
        finding(tx.org(), "only living contacts are pointed at", format!("{kind} {value}: {contact:?} is no living contact"))
    };
    let findings = dangling.map(of).collect();
    Ok((rows.into_iter().next_back().map(|(key, _, _)| key), findings))
}
