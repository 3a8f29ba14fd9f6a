//! `org`: the organisations of an installation.

use parlance_model::Result;
use parlance_model::org::Org;

use super::moment;
use crate::cli::{OrgAction, PlaceArgs};
use crate::output::{Form, Record};
use crate::place::once;

pub(crate) fn run(place: &PlaceArgs, form: Form, action: OrgAction) -> Result<()> {
    match action {
        OrgAction::Create { name, slug, region } => {
            let org = once(place, false, async |app| app.create_org(&slug, &name, &region).await)?;
            form.made(Some(&org.id.to_string()), record(org))
        }
        OrgAction::List => {
            let orgs = once(place, false, async |app| app.orgs().await)?;
            let row =
                |org: Org| vec![org.id.0.into(), org.slug.into(), org.name.into(), moment(Some(org.created_ms)), moment(org.disabled_ms)];
            form.list(&["id", "slug", "name", "created_at", "disabled_at"], orgs.into_iter().map(row).collect())
        }
        OrgAction::Show(org) => form.record(record(once(place, false, async |app| app.org(&org.slug).await)?)),
        OrgAction::Disable(org) => form.record(record(once(place, false, async |app| app.set_org_enabled(&org.slug, false).await)?)),
        OrgAction::Enable(org) => form.record(record(once(place, false, async |app| app.set_org_enabled(&org.slug, true).await)?)),
    }
}

fn record(org: Org) -> Record {
    vec![
        ("id", org.id.0.into()),
        ("slug", org.slug.into()),
        ("name", org.name.into()),
        ("region", org.region.to_string().into()),
        ("sms_provider", org.sms_provider.into()),
        ("events", org.seq.into()),
        ("created_at", moment(Some(org.created_ms))),
        ("disabled_at", moment(org.disabled_ms)),
    ]
}
