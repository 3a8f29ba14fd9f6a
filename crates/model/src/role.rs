//! Roles of staff, and what each may do. `docs/permissions.md` tables every operation against these.

use crate::words;

words! {
    /// What a person is in an org. Keys without a user have the rights of an admin.
    pub enum Role ("role") {
        /// Answers customers.
        Agent = "agent",
        /// Also manages staff, keys and accounts.
        Admin = "admin",
        /// Also owns the org.
        Owner = "owner",
    }
}
