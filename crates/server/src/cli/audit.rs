//! Arguments of `audit`.

use clap::{Args, Subcommand};
use parlance_model::audit::{Action, SubjectKind};
use parlance_model::clock::from_iso8601;

use super::directory::word;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditAction {
    /// List who changed what in an organisation, newest first
    #[command(after_long_help = "Example:\n  parlance audit list --org acme --action session.failed --after 2026-03-01T00:00:00Z --json")]
    List(AuditArgs),
}

/// Which rows.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The organisation's slug
    #[arg(long)]
    pub(crate) org: String,
    /// Only what this person did, by e-mail address, signed in or by a key of theirs
    #[arg(long, value_name = "EMAIL")]
    pub(crate) user: Option<String>,
    /// Only what this key did, by its id
    #[arg(long, value_name = "ID")]
    pub(crate) key: Option<i64>,
    /// Only this, such as conversation.close
    #[arg(long, value_name = "WORD", value_parser = word::<Action>)]
    pub(crate) action: Option<Action>,
    /// Only what was done to one thing of this kind, such as contact
    #[arg(long, value_name = "KIND", value_parser = word::<SubjectKind>, requires = "subject_id")]
    pub(crate) subject: Option<SubjectKind>,
    /// The thing's id; of staff, the person's
    #[arg(long, value_name = "ID", requires = "subject")]
    pub(crate) subject_id: Option<i64>,
    /// From this time on, such as 2026-03-05T20:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) after: Option<i64>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) before: Option<i64>,
    /// The most rows
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    pub(crate) limit: i64,
}

/// A time, as unix ms.
pub(super) fn time(text: &str) -> Result<i64, &'static str> {
    from_iso8601(text).ok_or("must be a time with its offset, such as 2026-03-05T20:00:00Z")
}
