//! Staff on the wire.

use parlance_app::staff::NewStaff;
use parlance_model::clock::iso8601;
use parlance_model::org::Staff as Stored;
use parlance_model::role::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{Text, Word, not_null, present};

/// A person who works in the organisation.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Staff {
    /// The user's id: what `assigned_to` and `sender_id` name.
    id: i64,
    /// How they sign in.
    email: String,
    /// What colleagues call them.
    name: String,
    /// What they may do.
    role: Word<Role>,
    /// Since when whoever runs the server has switched them off, in every organisation; null while they may sign in.
    disabled_at: Option<String>,
}

impl From<Stored> for Staff {
    fn from(Stored { user, role }: Stored) -> Self {
        let disabled_at = user.disabled_ms.map(iso8601);
        Self { id: user.id.0, email: user.email, name: user.name, role: Word(role), disabled_at }
    }
}

/// A person who has just come.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AddedStaff {
    #[serde(flatten)]
    staff: Staff,
    /// The password that was made, shown this once; null when one was given, and for a person who has one already.
    password: Option<String>,
}

impl From<(Stored, Option<String>)> for AddedStaff {
    fn from((staff, password): (Stored, Option<String>)) -> Self {
        Self { staff: staff.into(), password }
    }
}

/// Lets a person into the organisation.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct AddStaff {
    /// How they sign in.
    email: Text<254>,
    /// What colleagues call them.
    #[schemars(length(min = 1))]
    name: Text<200>,
    /// What they may do; owners are made by owners only.
    role: Word<Role>,
    /// 10 to 200 characters. One is made and answered when it is not given.
    password: Option<Text<200>>,
}

impl From<AddStaff> for NewStaff {
    fn from(body: AddStaff) -> Self {
        let password = body.password.map(Text::into_inner);
        Self { email: body.email.into_inner(), name: body.name.into_inner(), role: body.role.0, password }
    }
}

/// Changes a person's place in the organisation. Absent fields stay.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ChangeStaff {
    /// What they may do.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Word<Role>>", transform = not_null)]
    pub(crate) role: Option<Word<Role>>,
    /// What colleagues call them.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<200>>", transform = not_null)]
    pub(crate) name: Option<Text<200>>,
}
