//! Where PostgreSQL's programs are, and as whom its server may run.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian keeps the server's programs here, one folder a version, and not on the PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

/// What the server and its set-up need; all of one version, so from one folder.
const SERVER: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// The folder with the server's programs: the first on the PATH that has all of them, else Debian's newest.
pub(crate) fn server_folder() -> io::Result<PathBuf> {
    find(&candidates(), &SERVER).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!(
                "no PostgreSQL server: {} are neither together in a folder of the PATH nor in {DEBIAN}/*/bin. \
                 Install it (Debian, Ubuntu: apt-get install postgresql) or run `cargo xtask test`, which does",
                SERVER.join(", ")
            ),
        )
    })
}

/// The path of `createdb`, which comes with the client.
pub(crate) fn createdb() -> io::Result<PathBuf> {
    let name = "createdb";
    find(&candidates(), &[name]).map(|folder| folder.join(name)).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "no createdb: it comes with PostgreSQL's client (Debian, Ubuntu: apt-get install postgresql-client)",
        )
    })
}

fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let installed = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.extend(newest_first(installed).into_iter().map(|version| version.join("bin")));
    folders
}

/// Version folders by their number, which their names do not sort by (9.6, 15).
fn newest_first(mut versions: Vec<PathBuf>) -> Vec<PathBuf> {
    let number = |path: &PathBuf| -> Vec<u32> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    versions
}

fn find(folders: &[PathBuf], names: &[&str]) -> Option<PathBuf> {
    folders.iter().find(|folder| names.iter().all(|name| folder.join(name).is_file())).cloned()
}

/// The user and group that must run the server in place of us, or nothing when we may: PostgreSQL refuses root.
pub(crate) fn server_user(owned_by_us: &Path) -> io::Result<Option<(u32, u32)>> {
    use std::os::unix::fs::MetadataExt;
    if std::fs::metadata(owned_by_us)?.uid() != 0 {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let (Some(user), Some(group)) = (id("-u", name), id("-g", name)) {
            return Ok(Some((user, group)));
        }
    }
    Err(io::Error::other("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody` to run it as"))
}

fn id(what: &str, user: &str) -> Option<u32> {
    let output = Command::new("id").args([what, user]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{find, newest_first};

    #[test]
    fn the_newest_version_comes_first() {
        let folders = ["9.6", "15", "17"].map(PathBuf::from).to_vec();
        assert_eq!(newest_first(folders), ["17", "15", "9.6"].map(PathBuf::from));
    }

    #[test]
    fn a_folder_with_some_of_the_programs_is_passed_over() {
        let (half, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for file in [half.path().join("pg_ctl"), whole.path().join("pg_ctl"), whole.path().join("initdb")] {
            std::fs::write(file, "").unwrap();
        }
        let folders = [half.path().to_owned(), whole.path().to_owned()];
        assert_eq!(find(&folders, &["initdb", "pg_ctl"]).as_deref(), Some(whole.path()));
        assert_eq!(find(&folders, &["initdb", "postgres"]), None);
    }
}
