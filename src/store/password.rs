//! Passwords: what people choose, stored as argon2id only.

use argon2::password_hash::SaltString;
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};

/// A password has at least so many characters. Length is what makes guessing dear.
pub const PASSWORD_CHARACTERS_MIN: usize = 10;
/// And at most so many bytes.
pub const PASSWORD_BYTES_MAX: usize = 1_000;

/// What is stored of a password, in the PHC format; none when it is too short or too long.
pub fn hash_password(password: &str) -> Option<String> {
    let is_long_enough = password.chars().count() >= PASSWORD_CHARACTERS_MIN;
    if !is_long_enough || password.len() > PASSWORD_BYTES_MAX {
        return None;
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).expect("the system has random numbers");
    let salt = SaltString::encode_b64(&salt).expect("16 bytes are a salt");
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Some(hash.expect("the parameters are the library's own").to_string())
}

/// Whether it is that password. Without a hash it is not, after the same work: who asks must not
/// learn whether there is such a user.
pub fn matches_password(password: &str, hash: Option<&str>) -> bool {
    const OF_NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA\
                             $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let parsed = PasswordHash::new(hash.unwrap_or(OF_NOBODY));
    let matches = parsed.is_ok_and(|parsed| {
        password.len() <= PASSWORD_BYTES_MAX
            && Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok()
    });
    matches && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_and_no_other() {
        let hash = hash_password("correct horse").expect("long enough");
        assert!(matches_password("correct horse", Some(&hash)));
        assert!(!matches_password("correct house", Some(&hash)));
        assert!(!matches_password("correct horse", None));
        assert!(!hash.contains("correct"));
        assert_ne!(Some(hash), hash_password("correct horse"), "each has its own salt");
        assert!(hash_password("too short").is_none());
    }
}
