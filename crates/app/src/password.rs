//! Passwords: argon2id with the library's parameters, and the generated ones that commands print.

use std::time::Duration;

use argon2::password_hash::PasswordHasher as _;
use argon2::{Argon2, PasswordVerifier as _};
use parlance_model::entropy::{self, Entropy};
use parlance_model::{Error, Result};
use tokio::sync::Semaphore;

/// Passwords that are hashed at once, of however many callers: each takes 19 MiB and a core, and anybody may ask.
static PLACES: Semaphore = Semaphore::const_new(4);
/// How long a caller waits for one of these places.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs what hashes or verifies a password apart from the runtime's threads.
///
/// # Errors
/// `unavailable` when too many others are at it.
pub(crate) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let Ok(Ok(place)) = tokio::time::timeout(PATIENCE, PLACES.acquire()).await else {
        return Err(Error::unavailable("Too many people are signing in just now. Try again in a moment.", 2));
    };
    let held = move || {
        let done = work();
        drop(place);
        done
    };
    tokio::task::spawn_blocking(held).await.map_err(Error::internal)
}

/// Hashes a password for storing. Takes tens of milliseconds on purpose.
///
/// # Errors
/// `validation_failed` when it is shorter than 10 characters or longer than 200 bytes.
pub(crate) fn hash(password: &str, entropy: &dyn Entropy) -> Result<String> {
    check(password)?;
    let salt: [u8; 16] = entropy::bytes(entropy);
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).map_err(|cause| Error::internal(cause.to_string()))?;
    Ok(hash.to_string())
}

/// Refuses a password that is too short to be safe or too long to be hashed.
///
/// # Errors
/// `validation_failed`.
pub(crate) fn check(password: &str) -> Result<()> {
    if password.chars().count() < 10 || password.len() > 200 {
        return Err(Error::invalid("password", "Must be 10 characters or more, and at most 200 bytes."));
    }
    Ok(())
}

/// Whether the password is the one that was hashed.
pub(crate) fn verify(password: &str, hash: &str) -> bool {
    match argon2::PasswordHash::new(hash) {
        Ok(hash) => Argon2::default().verify_password(password.as_bytes(), &hash).is_ok(),
        Err(_) => false,
    }
}
