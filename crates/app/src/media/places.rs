//! Places for uploads. Each upload holds some megabytes, so there are so many at once in this process; and no org has more than its
//! share of them, so that the slow uploads of one stop nobody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use parlance_model::error::Kind;
use parlance_model::id::OrgId;
use parlance_model::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// Uploads at once.
const PLACES: usize = 16;
/// Uploads of one org at once.
const SHARE: usize = 4;
/// When whoever was refused may try again, in seconds.
const AGAIN_S: u32 = 5;

/// All places, and what each org may have of them.
pub(crate) struct Places {
    all: Semaphore,
    /// A few bytes for each org that ever uploaded.
    shares: Mutex<HashMap<OrgId, Arc<Semaphore>>>,
}

/// A place, until it is dropped.
pub(crate) struct Place<'a> {
    _share: OwnedSemaphorePermit,
    _place: SemaphorePermit<'a>,
}

impl Default for Places {
    fn default() -> Self {
        Self { all: Semaphore::new(PLACES), shares: Mutex::default() }
    }
}

impl Places {
    /// A place for an upload of this org, waited for as long as `patience`.
    ///
    /// # Errors
    /// `too_many_uploads` when the org has its share; `unavailable` when others have the rest.
    pub(crate) async fn take(&self, org: OrgId, patience: Duration) -> Result<Place<'_>> {
        let share = Arc::clone(
            self.shares.lock().unwrap_or_else(PoisonError::into_inner).entry(org).or_insert_with(|| Arc::new(Semaphore::new(SHARE))),
        );
        // Neither is ever closed. The share comes first: whoever waits for it holds no place.
        let Ok(Ok(share)) = timeout(patience, share.acquire_owned()).await else { return Err(too_many()) };
        match timeout(patience, self.all.acquire()).await {
            Ok(Ok(place)) => Ok(Place { _share: share, _place: place }),
            _ => Err(Error::unavailable("Too many files are being uploaded just now. Try again in a moment.", AGAIN_S)),
        }
    }
}

fn too_many() -> Error {
    let text = format!("This organisation is uploading {SHARE} files already. Send the next one when one of them is through.");
    Error::new(Kind::RateLimited, "too_many_uploads", text).with_retry_after(AGAIN_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(places: &Places, org: i64) -> &'static str {
        let refused = places.take(OrgId(org), Duration::ZERO).await.map(drop).unwrap_err();
        assert_eq!(refused.retry_after_s(), Some(AGAIN_S));
        refused.code()
    }

    #[tokio::test]
    async fn an_org_has_its_share_and_leaves_the_others_theirs() {
        let places = Places::default();
        let take = async |org| places.take(OrgId(org), Duration::ZERO).await.unwrap();
        let mut held = Vec::new();
        for org in 1..=4 {
            for _ in 0..SHARE {
                held.push(take(org).await);
            }
            assert_eq!(refused(&places, org).await, "too_many_uploads");
        }
        assert_eq!(refused(&places, 5).await, "unavailable", "nothing is left for anybody");
        // What is given back is had by whoever comes, within their share.
        drop(held.remove(0));
        assert_eq!(refused(&places, 2).await, "too_many_uploads");
        drop(take(5).await);
        drop(take(1).await);
    }
}
