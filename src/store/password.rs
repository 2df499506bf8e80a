//! Passwords: what people choose, stored as argon2id only.
//!
//! An accent can be part of its letter or stand behind it, and keyboards differ in which they write:
//! a password is hashed with every accent in its letter (NFC).

use argon2::password_hash::{Output, PasswordHash, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;

use crate::domain::names::composed;

/// A password has at least so many characters. Length is what makes guessing dear.
pub const PASSWORD_CHARACTERS_MIN: usize = 10;
/// And at most so many bytes.
pub const PASSWORD_BYTES_MAX: usize = 1_000;
/// With its accents written apart, a text is at most so many times as long.
const COMPOSED_RATIO_MAX: usize = 4;

/// The memory that a password is hashed in, 19 MiB, to be used again for the next one: the system's
/// allocator would find no room for another where one was.
#[derive(Default)]
pub struct HashMemory(Vec<Block>);

/// What is stored of a password, in the PHC format; none when it is too short or too long.
pub fn hash_password(password: &str, memory: &mut HashMemory) -> Option<String> {
    if password.len() > COMPOSED_RATIO_MAX * PASSWORD_BYTES_MAX {
        return None;
    }
    let password = composed(password);
    let is_long_enough = password.chars().count() >= PASSWORD_CHARACTERS_MIN;
    if !is_long_enough || password.len() > PASSWORD_BYTES_MAX {
        return None;
    }
    let mut random = [0; Salt::RECOMMENDED_LENGTH];
    getrandom::fill(&mut random).expect("the system has random numbers");
    let salt = SaltString::encode_b64(&random).expect("16 bytes are a salt");
    let (argon2, mut output) = (Argon2::default(), [0; Params::DEFAULT_OUTPUT_LEN]);
    let hashed = memory.hash(&argon2, password.as_bytes(), &random, &mut output);
    hashed.expect("the parameters are the library's own");
    let stored = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: argon2.params().try_into().expect("they are the library's own"),
        salt: Some(salt.as_salt()),
        hash: Some(Output::new(&output).expect("it has a length that is allowed")),
    };
    Some(stored.to_string())
}

/// Whether it is that password. Without a hash it is not, after the same work: who asks must not
/// learn whether there is such a user.
pub fn matches_password(password: &str, hash: Option<&str>, memory: &mut HashMemory) -> bool {
    const OF_NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA\
                             $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let Ok(stored) = PasswordHash::new(hash.unwrap_or(OF_NOBODY)) else { return false };
    if password.len() > COMPOSED_RATIO_MAX * PASSWORD_BYTES_MAX {
        return false;
    }
    let composed = composed(password);
    let mut is_it = |text: &str| text.len() <= PASSWORD_BYTES_MAX && memory.is_it(text, &stored);
    // One that was set before may have been hashed as it was written.
    let matches = is_it(&composed) || (composed != password && is_it(password));
    matches && hash.is_some()
}

impl HashMemory {
    fn hash(
        &mut self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        output: &mut [u8],
    ) -> argon2::Result<()> {
        self.0.resize(argon2.params().block_count(), Block::default());
        argon2.hash_password_into_with_memory(password, salt, output, &mut self.0[..])
    }

    /// Compares in a time that tells nothing. What was not stored by us is no password's.
    fn is_it(&mut self, password: &str, stored: &PasswordHash<'_>) -> bool {
        let (Some(salt), Some(hash)) = (stored.salt, stored.hash) else { return false };
        let mut bytes = [0; Salt::MAX_LENGTH];
        let (Ok(salt), Ok(algorithm), Ok(params)) = (
            salt.decode_b64(&mut bytes),
            Algorithm::try_from(stored.algorithm),
            Params::try_from(stored),
        ) else {
            return false;
        };
        let mut output = vec![0; hash.len()];
        let argon2 = Argon2::new(algorithm, Version::V0x13, params);
        let hashed = self.hash(&argon2, password.as_bytes(), salt, &mut output);
        hashed.is_ok() && bool::from(output.ct_eq(hash.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::PasswordVerifier;

    #[test]
    fn a_password_matches_its_own_hash_and_no_other() {
        let memory = &mut HashMemory::default();
        let hash = hash_password("correct horse", memory).expect("long enough");
        assert!(matches_password("correct horse", Some(&hash), memory));
        assert!(!matches_password("correct house", Some(&hash), memory));
        assert!(!matches_password("correct horse", None, memory));
        let parsed = PasswordHash::new(&hash).expect("it is one");
        let by_the_library = Argon2::default().verify_password(b"correct horse", &parsed);
        assert!(by_the_library.is_ok(), "as it was hashed before");
        assert!(!hash.contains("correct"));
        assert_ne!(Some(hash), hash_password("correct horse", memory), "each has its own salt");
        assert!(hash_password("too short", memory).is_none());
        let hash = hash_password("Pferdea\u{308}pfel", memory).expect("long enough");
        assert!(matches_password("Pferdeäpfel", Some(&hash), memory));
        assert!(matches_password("Pferdea\u{308}pfel", Some(&hash), memory));
    }
}
