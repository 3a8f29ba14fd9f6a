//! The limit of open files: each connection takes one. Systems often give a process few and let it ask for more.

/// What is open beside connections: the database, files on their way, calls of providers.
const BESIDE: u64 = 512;

/// Raises the limit as far as the system allows, and warns where that is too low for so many connections.
pub(crate) fn allow(connections: u64) {
    let wanted = connections + BESIDE;
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < wanted => tracing::warn!(
            "this process may open {limit} files; with all connections it needs {wanted}. Raise the hard limit: `ulimit -Hn`, or LimitNOFILE of systemd"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}
