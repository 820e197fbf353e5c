//! Passwords: hashed with argon2id, a few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::CustomizedPasswordHasher;
use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHasher, PasswordVerifier as _, Version};
use domain::Code;
use tokio::sync::Semaphore;

use crate::{Error, FieldError};

/// Memory, passes and lanes as the OWASP password storage cheat sheet (2025) recommends for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Blocks of 1 KiB from which on glibc asks the system for memory and gives it back. Below 32 MiB it learns from each that is
/// given back to keep such: two sign-ins would cost 40 MB until the program ends.
const RETURNED_BLOCKS: usize = 33 * 1024;

/// The fewest characters of a password.
pub const LEN_MIN: usize = 10;
/// The most bytes of a password.
pub const BYTES_MAX: usize = 1024;
/// The most sign-ins that wait for a processor; more are refused.
const WAITING_MAX: usize = 64;

/// Hashes and checks passwords, a few at a time and never on a thread that serves others.
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Checked when there is no account, so that both answers take the same work.
    nobody: Arc<str>,
}

impl Passwords {
    pub(crate) fn new() -> Result<Self, Error> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            permits: Arc::new(Semaphore::new(processors.clamp(1, 8))),
            waiting: AtomicUsize::new(0),
            nobody: hash(&crate::secret::token("")?)?.into(),
        })
    }

    /// The PHC string of a password, with a new salt.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Error> {
        let password = password.to_owned();
        self.apart(move || hash(&password)).await?
    }

    /// Whether the password has this hash; without one the same work is done and the answer is no.
    pub(crate) async fn verify(&self, password: &str, stored: Option<String>) -> Result<bool, Error> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobody.to_string());
        // Longer ones cannot have been set; hashing megabytes would be a gift to attackers.
        let password = if password.len() > BYTES_MAX {
            String::new()
        } else {
            password.to_owned()
        };
        let right = self.apart(move || verify(&password, &stored)).await??;
        Ok(right && known)
    }

    async fn apart<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let _place = Place::take(&self.waiting)?;
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|error| Error::internal("hashing a password", error))?;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
        .map_err(|error| Error::internal("hashing a password", error))
    }
}

/// A place in the queue; given back also when the caller gives up.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, Error> {
        let place = Self(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) < WAITING_MAX {
            return Ok(place);
        }
        Err(Error::Refused {
            code: Code::Overloaded,
            detail: "Too many people sign in at once.".to_owned(),
            errors: Vec::new(),
            retry_after: Some(1),
        })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// argon2 with memory that goes back to the system.
struct Hasher {
    algorithm: Algorithm,
    version: Version,
    params: Params,
}

impl Hasher {
    fn new() -> Result<Self, Error> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
            .map_err(|error| Error::internal("setting argon2 up", error))?;
        Ok(Self {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            params,
        })
    }
}

impl PasswordHasher<PasswordHash> for Hasher {
    fn hash_password_with_salt(
        &self,
        password: &[u8],
        salt: &[u8],
    ) -> argon2::password_hash::Result<PasswordHash> {
        let params = &self.params;
        // What is not written to takes no memory.
        let mut memory = Vec::with_capacity(params.block_count().max(RETURNED_BLOCKS));
        memory.resize(params.block_count(), Block::default());
        let mut output = [0; Output::MAX_LENGTH];
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let output = output
            .get_mut(..length)
            .ok_or(argon2::password_hash::Error::OutputSize)?;
        let argon2 = Argon2::new(self.algorithm, self.version, params.clone());
        argon2.hash_password_into_with_memory(password, salt, output, &mut memory[..])?;
        Ok(PasswordHash {
            algorithm: self.algorithm.ident(),
            version: Some(self.version.into()),
            params: params.try_into()?,
            salt: Some(Salt::new(salt)?),
            hash: Some(Output::new(output)?),
        })
    }
}

impl CustomizedPasswordHasher<PasswordHash> for Hasher {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> argon2::password_hash::Result<PasswordHash> {
        let algorithm = algorithm
            .map(Algorithm::try_from)
            .transpose()?
            .unwrap_or_default();
        let version = version.map(Version::try_from).transpose()?.unwrap_or_default();
        let hasher = Self {
            algorithm,
            version,
            params,
        };
        hasher.hash_password_with_salt(password, salt)
    }
}

fn hash(password: &str) -> Result<String, Error> {
    let hash = Hasher::new()?
        .hash_password(password.as_bytes())
        .map_err(|error| Error::internal("hashing a password", error))?;
    Ok(hash.to_string())
}

/// The hash's own parameters are used, so hashes with older ones stay valid.
fn verify(password: &str, stored: &str) -> Result<bool, Error> {
    let stored =
        PasswordHash::new(stored).map_err(|error| Error::internal("reading a password's hash", error))?;
    Ok(Hasher::new()?
        .verify_password(password.as_bytes(), &stored)
        .is_ok())
}

/// Checks that a new password is good enough (NIST SP 800-63B: length matters, composition rules do not).
pub(crate) fn check(pointer: &str, password: &str, email: &str) -> Result<(), Error> {
    let refuse = |code: &str, detail: &str| {
        let suggestion = "Several words in a row make a good one.";
        let error = FieldError::new(pointer, code, detail, suggestion);
        Err(Error::fields(Code::RequestInvalid, detail, vec![error]))
    };
    if password.chars().count() < LEN_MIN {
        return refuse("password_too_short", "The password needs at least 10 characters.");
    }
    if password.len() > BYTES_MAX {
        return refuse("password_too_long", "The password may have at most 1024 bytes.");
    }
    let mut letters = password.chars();
    let first = letters.next();
    if password.eq_ignore_ascii_case(email) || letters.all(|letter| Some(letter) == first) {
        return refuse("password_too_simple", "The password is too easy to guess.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::phc::PasswordHash;
    use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};

    use super::{hash, verify};

    #[test]
    fn hashes_are_those_of_the_library() {
        let ours = hash("correct horse").unwrap();
        assert!(ours.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{ours}");
        let read = PasswordHash::new(&ours).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", &read).is_ok());
        // With other parameters than ours.
        let params = Params::new(8 * 1024, 3, 1, None).unwrap();
        let other = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let theirs = other.hash_password(b"correct horse").unwrap().to_string();
        assert!(verify("correct horse", &theirs).unwrap());
        for wrong in ["", "correct horsf"] {
            assert!(!verify(wrong, &ours).unwrap());
        }
    }
}
