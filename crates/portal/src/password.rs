//! Passwords: which are good enough, and what Argon2id makes of them.

use std::sync::Arc;
use std::time::Duration;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use conclave_store::{PasswordHash, UserEmail};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// The shortest password.
pub(crate) const SHORTEST: usize = 12;
const LONGEST: usize = 200;

/// So long somebody waits for their turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why passwords can't be hashed or verified now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordsError {
    /// Too many at once.
    #[error("too many passwords wait to be verified")]
    Busy,
    /// The hash function refuses, or what is kept was not made by it.
    #[error("Argon2id: {0}")]
    Argon(String),
}

/// Hashes and verifies passwords with Argon2id (RFC 9106; 19 MiB, two passes), off the runtime and one at a time: the
/// calls need the other cores.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    turn: Arc<Semaphore>,
    /// What is verified in place of a user's who isn't there, so that it takes the same time.
    nobodys: PasswordHash,
}

impl Passwords {
    /// Takes as long as one password does. `salt` is 16 random bytes.
    pub(crate) fn new(salt: [u8; 16]) -> Result<Self, PasswordsError> {
        Ok(Self {
            turn: Arc::new(Semaphore::new(1)),
            nobodys: hash(b"", salt)?,
        })
    }

    pub(crate) async fn hash(
        &self,
        password: &str,
        salt: [u8; 16],
    ) -> Result<PasswordHash, PasswordsError> {
        let password = Zeroizing::new(password.to_owned());
        self.aside(move || hash(password.as_bytes(), salt)).await
    }

    /// Whether it is the password; without one that is kept it never is, after the same time.
    pub(crate) async fn verify(
        &self,
        password: &str,
        kept: Option<PasswordHash>,
    ) -> Result<bool, PasswordsError> {
        let (password, there) = (Zeroizing::new(password.to_owned()), kept.is_some());
        let kept = kept.unwrap_or_else(|| self.nobodys.clone());
        self.aside(move || {
            let verified = Argon2::default().verify_password(password.as_bytes(), kept.expose());
            match verified {
                Ok(()) => Ok(there),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(PasswordsError::Argon(error.to_string())),
            }
        })
        .await
    }

    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordsError> + Send + 'static,
    ) -> Result<T, PasswordsError> {
        let turn = Arc::clone(&self.turn).acquire_owned();
        let Ok(Ok(turn)) = tokio::time::timeout(PATIENCE, turn).await else {
            return Err(PasswordsError::Busy);
        };
        let done = tokio::task::spawn_blocking(move || {
            // Given back when the work is done, even if nobody waits for it any more.
            let _turn = turn;
            work()
        });
        done.await
            .map_err(|error| PasswordsError::Argon(error.to_string()))?
    }
}

fn hash(password: &[u8], salt: [u8; 16]) -> Result<PasswordHash, PasswordsError> {
    let made = Argon2::default().hash_password_with_salt(password, &salt);
    let made = made.map_err(|error| PasswordsError::Argon(error.to_string()))?;
    Ok(PasswordHash::new(made.to_string()))
}

/// What is wrong with a new password, said so that it can be mended.
pub(crate) fn fault(password: &str, again: &str, email: &UserEmail) -> Option<String> {
    let length = password.chars().count();
    let different: std::collections::BTreeSet<_> = password.chars().collect();
    let lower = password.to_lowercase();
    let own = email.as_str().split('@').next().unwrap_or_default();
    if length < SHORTEST {
        Some(format!(
            "A password has at least {SHORTEST} characters: this one has {length}. Four words that don't belong together make a good one."
        ))
    } else if length > LONGEST {
        Some(format!("A password has at most {LONGEST} characters."))
    } else if different.len() < 5 {
        Some("A password has at least 5 different characters.".to_owned())
    } else if lower.contains(email.as_str()) || (own.len() >= 6 && lower.contains(own)) {
        Some(
            "Your e-mail address is the first thing that is tried as a password: take another."
                .to_owned(),
        )
    } else if password != again {
        Some("The two passwords are not the same: type them again.".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_is_verified() {
        let passwords = Passwords::new([1; 16]).unwrap();
        let kept = passwords.hash("correct horse", [2; 16]).await.unwrap();
        assert!(kept.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let verify = async |text: &str, kept| passwords.verify(text, kept).await.unwrap();
        assert!(verify("correct horse", Some(kept.clone())).await);
        assert!(!verify("correct horsf", Some(kept)).await);
        assert!(!verify("", None).await, "nobody's password is nobody's");
        let broken = Some(PasswordHash::new("plain"));
        assert!(passwords.verify("x", broken).await.is_err());
    }

    #[test]
    fn a_password_that_is_easily_guessed_is_refused() {
        let email = UserEmail::parse("lovelace@example.org").unwrap();
        let check = |password: &str, part: &str| {
            let found = fault(password, password, &email).unwrap_or_default();
            assert!(found.contains(part), "{password}: {found}");
            assert_eq!(found.is_empty(), part.is_empty(), "{password}: {found}");
        };
        check("short", "at least 12");
        check("aaaaaaaaaaaa", "5 different");
        check("Lovelace-1815!", "first thing");
        check(&"abcdef".repeat(40), "at most 200");
        check("four odd words here", "");
        check("pässwörter zählen", "");
        assert!(fault("four odd words here", "four odd", &email).is_some());
    }
}
