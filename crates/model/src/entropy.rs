//! Randomness, injected like the clock: tokens, passwords and tags come from here and from nowhere else.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng, TryRng};

/// A source of random bytes.
pub trait Entropy: Send + Sync {
    /// Fills the whole slice.
    fn fill(&self, bytes: &mut [u8]);
}

/// A shared source of randomness.
pub type SharedEntropy = Arc<dyn Entropy>;

/// `N` random bytes.
#[must_use]
pub fn bytes<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut out = [0; N];
    entropy.fill(&mut out);
    out
}

/// `len` characters of `A-Za-z0-9` without those that people confuse (0 O 1 l I): for tokens and passwords.
#[must_use]
pub fn token(entropy: &dyn Entropy, len: usize) -> String {
    const ALPHABET: &[u8; 57] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let mut out = String::with_capacity(len);
    while out.len() < len {
        for byte in bytes::<64>(entropy) {
            // Bytes at or above the largest multiple of the alphabet are dropped, so no letter is likelier than another.
            if byte < 228 && out.len() < len {
                out.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
            }
        }
    }
    out
}

/// The operating system's generator.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // A system without randomness cannot make a safe token: stopping is the only honest answer.
        #[expect(clippy::expect_used, reason = "without the system's randomness no token is safe")]
        SysRng.try_fill_bytes(bytes).expect("the operating system gives random bytes");
    }
}

/// The same bytes for the same seed, for tests.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<StdRng>);

impl SeededEntropy {
    /// Starts the sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::{SeededEntropy, token};

    #[test]
    fn tokens_have_the_asked_length_and_repeat_only_with_their_seed() {
        let first = token(&SeededEntropy::new(1), 40);
        assert_eq!(first.len(), 40);
        assert_eq!(first, token(&SeededEntropy::new(1), 40));
        assert_ne!(first, token(&SeededEntropy::new(2), 40));
    }
}
