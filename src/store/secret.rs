//! Secrets and tokens: random, shown once, stored only as a hash, compared in constant time.

use sha2::{Digest, Sha256};
use std::fmt::Write;
use subtle::ConstantTimeEq;

/// A fresh secret, for showing once.
pub struct Secret(String);

/// What is stored of a secret. The secrets are 32 random bytes, so a plain hash is enough: there
/// is nothing to guess.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl Secret {
    /// 32 random bytes behind a prefix that says what it is.
    pub fn fresh(prefix: &str) -> Secret {
        Secret(format!("{prefix}{}", random_hex(32)))
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.0.as_bytes())
    }
}

impl SecretHash {
    pub fn of(secret: &[u8]) -> SecretHash {
        SecretHash(Sha256::digest(secret).into())
    }

    pub fn from_bytes(bytes: [u8; 32]) -> SecretHash {
        SecretHash(bytes)
    }

    /// Reads what [`SecretHash::to_hex`] wrote.
    pub fn from_hex(digits: &str) -> Option<SecretHash> {
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok()?;
        }
        (digits.len() == 64).then_some(SecretHash(bytes))
    }

    /// As lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether it is the hash of that secret, in a time that tells nothing.
    pub fn matches(&self, secret: &[u8]) -> bool {
        self.equals(&SecretHash::of(secret))
    }

    /// Whether both are of one secret, in a time that tells nothing.
    pub fn equals(&self, other: &SecretHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Random bytes, as lower-case hexadecimal digits.
pub(super) fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).expect("the system has random numbers");
    hex(&random)
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
        text
    })
}
