//! Passwords of users: argon2id, a little work at a time.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use model::Chance;
use tokio::sync::Semaphore;

use crate::limits;

/// How dear one check is, for us and for who steals the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, KiB; at least 8.
    pub memory_kib: u32,
    /// Passes over it; at least 1.
    pub passes: u32,
}

impl Default for PasswordCost {
    /// The second recommendation of RFC 9106 is 64 MiB and 3 passes; this is OWASP's minimum,
    /// since a switch has better uses for its memory bandwidth and slows guessing down besides.
    fn default() -> PasswordCost {
        PasswordCost { memory_kib: 19_456, passes: 2 }
    }
}

impl PasswordCost {
    /// As cheap as it gets: for tests and for demos whose password is printed anyway.
    pub const CHEAPEST: PasswordCost = PasswordCost { memory_kib: 8, passes: 1 };
}

/// The hash of a password, in the PHC string format that [`store::NewUser`] wants.
///
/// Takes some 20 ms at the default cost; call it where blocking is allowed.
pub fn hash(password: &str, cost: PasswordCost, chance: &mut Chance) -> String {
    let mut salt = [0; 16];
    chance.fill(&mut salt);
    let params = Params::new(cost.memory_kib.max(8), cost.passes.max(1), 1, None)
        .expect("memory and passes are within argon2's bounds");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash = argon2
        .hash_password_with_salt(password.as_bytes(), &salt)
        .expect("a salt of 16 bytes and a bounded password can be hashed");
    hash.to_string()
}

fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Checks passwords, few at a time and on threads that may block.
pub(crate) struct Passwords {
    /// Checked for users that do not exist, so that they take as long as those that do.
    nobody: Arc<str>,
    working: Semaphore,
    /// Working and waiting ones together.
    queue: Semaphore,
}

/// Too many checks are waiting already.
pub(crate) struct TooBusy;

impl Passwords {
    pub(crate) fn new(cost: PasswordCost, chance: &mut Chance) -> Passwords {
        Passwords {
            nobody: hash("", cost, chance).into(),
            working: Semaphore::new(limits::PASSWORD_CHECKS),
            queue: Semaphore::new(limits::PASSWORD_CHECKS + limits::PASSWORD_QUEUE),
        }
    }

    /// Whether the password belongs to the hash; `None`: there is no such user.
    pub(crate) async fn check(&self, password: &str, hash: Option<&str>) -> Result<bool, TooBusy> {
        let _place = self.queue.try_acquire().map_err(|_| TooBusy)?;
        let _turn = self.working.acquire().await.map_err(|_| TooBusy)?;
        let exists = hash.is_some() && password.len() <= limits::PASSWORD_BYTES_MAX;
        let hash: Arc<str> = match hash {
            Some(hash) if exists => hash.into(),
            _ => Arc::clone(&self.nobody),
        };
        let password = if exists { password.to_owned() } else { String::from("nobody") };
        let good = tokio::task::spawn_blocking(move || verify(&password, &hash)).await;
        Ok(exists && good.unwrap_or(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_verified_by_its_own_hash_only() {
        let hash = hash("correct horse", PasswordCost::CHEAPEST, &mut Chance::from_number(1));
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert!(verify("correct horse", &hash));
        assert!(!verify("Correct horse", &hash));
        assert!(!verify("correct horse", "no hash"));
    }
}
