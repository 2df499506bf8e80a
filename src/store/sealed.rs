//! Files that are encrypted with a passphrase, in the age format, so that any program which knows
//! that format opens them too. What is in them may not be known here.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::iter::once;
use std::path::{Path, PathBuf};

use age::secrecy::{ExposeSecret, SecretString};
use age::{DecryptError, Decryptor, Encryptor, scrypt};

use super::error::{StoreError, in_file};
use super::files::{self, Draft};

/// What the name of an encrypted file ends with.
const SEALED: &str = ".age";
/// A passphrase that is to keep a stranger out has at least so many characters.
const PASSPHRASE_CHARACTERS_MIN: usize = 16;
/// Making a key of a passphrase takes 2^16 steps of scrypt: 64 MiB, and 0.15 s of one core, for each
/// file that is written or read.
const WORK_LOG2: u8 = 16;
/// Files of others may ask for more, up to 1 GiB.
const WORK_LOG2_MAX: u8 = 20;

/// So much of a file is read to tell whether it can be opened.
const HEAD_BYTES: u64 = 65_536;

/// The passphrases in a file, one a line: by the first is written, by any is read.
pub struct Passphrases {
    path: PathBuf,
    texts: Vec<SecretString>,
}

impl Passphrases {
    pub fn read(path: &Path) -> Result<Passphrases, StoreError> {
        let text = fs::read_to_string(path).map_err(in_file(path))?;
        let bare = |line| str::trim(str::trim_start_matches(line, '\u{feff}'));
        let lines: Vec<_> = text.lines().filter(|line| !bare(line).is_empty()).collect();
        // What an editor puts around a line is no part of it; who wrote by it all the same can read.
        let mut texts: Vec<&str> = vec![];
        for text in lines.iter().map(|line| bare(line)).chain(lines.iter().copied()) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let texts: Vec<_> = texts.into_iter().map(SecretString::from).collect();
        if texts.is_empty() {
            let path = path.display();
            return Err(StoreError::Refused(format!(
                "{path} is empty: write a passphrase into it"
            )));
        }
        Ok(Passphrases { path: path.to_owned(), texts })
    }

    /// The same, to write by: refuses a passphrase that could be guessed.
    pub fn read_to_write(path: &Path) -> Result<Passphrases, StoreError> {
        let read = Passphrases::read(path)?;
        if read.first().expose_secret().chars().count() < PASSPHRASE_CHARACTERS_MIN {
            return Err(StoreError::Refused(format!(
                "the passphrase in {} has fewer than {PASSPHRASE_CHARACTERS_MIN} characters, and \
                 could be guessed; `openssl rand -base64 32` makes one",
                path.display()
            )));
        }
        Ok(read)
    }

    /// The permissions of their file, when others than its owner have any.
    pub fn open_to_others(&self) -> Option<u32> {
        files::open_to_others(&self.path)
    }

    /// Whether there is no earlier one.
    pub(super) fn is_one(&self) -> bool {
        self.texts.len() == 1
    }

    fn first(&self) -> &SecretString {
        &self.texts[0]
    }

    /// Encrypts a file into another, whole and on disk, in place of any that is there.
    pub(super) fn seal(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        let mut recipient = scrypt::Recipient::new(self.first().clone());
        recipient.set_work_factor(WORK_LOG2);
        let encryptor = Encryptor::with_recipients(once(&recipient as &dyn age::Recipient))
            .map_err(|error| in_file(to)(io::Error::other(error)))?;
        let mut source = File::open(from).map_err(in_file(from))?;
        let mut draft = Draft::new(to).map_err(in_file(to))?;
        let written = (|| {
            let mut writer = encryptor.wrap_output(BufWriter::new(&mut draft))?;
            io::copy(&mut source, &mut writer)?;
            writer.finish()?.flush()
        })();
        written.and_then(|()| draft.keep()).map_err(in_file(to))
    }

    /// Decrypts a file into another, private and new.
    pub(super) fn unseal(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        let mut reader = self.reader(from)?;
        let mut draft = Draft::new(to).map_err(in_file(to))?;
        copy_out(&mut reader, &mut draft, from, to)?;
        draft.keep().map_err(in_file(to))
    }

    /// Adds those of another file, to read by.
    pub fn and(mut self, more: Option<Passphrases>) -> Passphrases {
        self.texts.extend(more.into_iter().flat_map(|more| more.texts));
        self
    }

    /// Whether a file can be opened.
    pub(super) fn check(&self, from: &Path) -> Result<(), StoreError> {
        let mut head = self.reader(from)?.take(HEAD_BYTES);
        io::copy(&mut head, &mut io::sink()).map(drop).map_err(|error| failed(from, error))
    }

    /// Reads a small file.
    pub(super) fn read_sealed(&self, from: &Path, into: &mut Vec<u8>) -> Result<(), StoreError> {
        let read = self.reader(from)?.take(HEAD_BYTES).read_to_end(into);
        read.map(drop).map_err(|error| failed(from, error))
    }

    fn reader(&self, from: &Path) -> Result<impl Read + use<>, StoreError> {
        let mut refused = None;
        for text in &self.texts {
            let file = File::open(from).map_err(in_file(from))?;
            let decryptor = Decryptor::new_buffered(BufReader::new(file));
            let decryptor = decryptor.map_err(|error| self.unopened(from, error))?;
            let mut identity = scrypt::Identity::new(text.clone());
            identity.set_max_work_factor(WORK_LOG2_MAX);
            match decryptor.decrypt(once(&identity as &dyn age::Identity)) {
                Ok(reader) => return Ok(reader),
                Err(error) => refused = Some(self.unopened(from, error)),
            }
        }
        Err(refused.expect("there is at least one passphrase"))
    }

    fn unopened(&self, from: &Path, error: DecryptError) -> StoreError {
        let by = self.path.display();
        let why = match error {
            DecryptError::Io(error) => return failed(from, error),
            DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
                format!("was encrypted with another passphrase than those in {by}; name its file")
            }
            DecryptError::NoMatchingKeys => "was encrypted for a key, and not with a passphrase; \
                decrypt it with `age --decrypt --identity …` first"
                .to_owned(),
            DecryptError::ExcessiveWork { required, .. } => format!(
                "asks for 2^{required} steps to make a key of its passphrase, and 2^{WORK_LOG2_MAX} \
                 are the limit; decrypt it with `age --decrypt` first"
            ),
            DecryptError::InvalidHeader
            | DecryptError::InvalidMac
            | DecryptError::UnknownFormat => {
                "is damaged, or is no file in the age format; take another backup".to_owned()
            }
        };
        StoreError::Sealed { path: from.to_owned(), why }
    }
}

/// Where the encrypted form of a file is.
pub(super) fn sealed(file: &Path) -> PathBuf {
    super::opened::beside(file, SEALED)
}

/// What is wrong when an encrypted file cannot be read on.
fn failed(from: &Path, error: io::Error) -> StoreError {
    let why = if error.kind() == ErrorKind::UnexpectedEof {
        "ends too early; take another backup"
    } else if error.kind() == ErrorKind::InvalidData {
        "is damaged, or ends too early; take another backup"
    } else {
        return in_file(from)(error);
    };
    StoreError::Sealed { path: from.to_owned(), why: why.to_owned() }
}

/// Copies, and tells a fault of what is read from one of what is written.
fn copy_out(
    reader: &mut impl Read,
    draft: &mut Draft,
    from: &Path,
    to: &Path,
) -> Result<(), StoreError> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => draft.write_all(&buffer[..read]).map_err(in_file(to))?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(from, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "correct horse battery staple";

    fn passphrases(folder: &Path, text: &str) -> Passphrases {
        let path = folder.join("passphrases");
        fs::write(&path, text).expect("it is written");
        Passphrases::read(&path).expect("it can be read")
    }

    fn said(result: Result<(), StoreError>) -> String {
        let error = result.expect_err("it is refused");
        assert!(matches!(error, StoreError::Sealed { .. }), "{error}");
        error.to_string()
    }

    #[test]
    fn what_is_sealed_is_opened_by_any_of_the_passphrases_and_no_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        fs::write(at("plain"), &text).expect("it is written");
        let first = passphrases(folder.path(), GOOD);
        first.seal(&at("plain"), &at("sealed")).expect("it is written");
        let bytes = fs::read(at("sealed")).expect("it is there");
        assert!(bytes.starts_with(b"age-encryption.org/v1\n-> scrypt "));
        let both = passphrases(folder.path(), &format!("a new one\r\n\n{GOOD}\r\n"));
        both.unseal(&at("sealed"), &at("opened")).expect("it is opened");
        assert_eq!(fs::read(at("opened")).expect("it is there"), text);
        let other = passphrases(folder.path(), "a new one");
        let why = said(other.unseal(&at("sealed"), &at("other")));
        assert!(why.contains("another passphrase"), "{why}");
        for cut in [bytes.len() - 1, bytes.len() - 70_000, 160, 40, 3, 0] {
            fs::write(at("cut"), &bytes[..cut]).expect("it is written");
            let why = said(first.unseal(&at("cut"), &at("other")));
            assert!(why.contains("take another backup"), "{cut}: {why}");
        }
        assert!(!at("other").exists() && !at("other.unfinished").exists(), "not half a file");
    }

    #[test]
    fn what_is_for_a_key_is_told_from_what_is_for_a_passphrase() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let to = age::x25519::Identity::generate().to_public();
        let sealed = age::encrypt(&to, b"text").expect("it is encrypted");
        fs::write(folder.path().join("for-a-key"), sealed).expect("it is written");
        let by = passphrases(folder.path(), GOOD);
        let why = said(by.unseal(&folder.path().join("for-a-key"), &folder.path().join("opened")));
        assert!(why.contains("for a key, and not with a passphrase"), "{why}");
    }

    #[test]
    fn a_passphrase_to_write_by_is_there_and_long() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("passphrases");
        assert!(Passphrases::read_to_write(&path).is_err(), "it is missing");
        for (text, why) in [("\n \n", "is empty"), ("short\n", "fewer than 16")] {
            fs::write(&path, text).expect("it is written");
            let refused = Passphrases::read_to_write(&path).map(drop).expect_err(text).to_string();
            assert!(refused.contains(why), "{refused}");
        }
        fs::write(&path, format!("{GOOD}\n")).expect("it is written");
        assert_eq!(Passphrases::read_to_write(&path).map(|read| read.texts.len()).ok(), Some(1));
    }
}
