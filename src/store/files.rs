//! Files of the data folder, and those made for people: private to their owner, and whole or not
//! there at all. What is in them may not be known here.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};

use super::error::{StoreError, in_file};

/// What a file's name ends with until it is whole.
const UNFINISHED: &str = ".unfinished";
/// How often a lock is tried, in milliseconds.
const LOCK_STEP_MS: u64 = 20;
/// Permissions of the group and of others.
const OF_OTHERS: u32 = 0o077;

/// A file under way: it gets its name when it is whole and on disk, and is gone when it is dropped
/// before that. What a crash left of an earlier one is overwritten.
pub struct Draft {
    file: fs::File,
    path: PathBuf,
    to: PathBuf,
    is_kept: bool,
}

impl Draft {
    pub fn new(to: &Path) -> io::Result<Draft> {
        let mut path = to.as_os_str().to_owned();
        path.push(UNFINISHED);
        let path = PathBuf::from(path);
        let mut options = fs::File::options();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = file.open(&path)?;
        let taken = || io::Error::new(ErrorKind::ResourceBusy, "another program is writing it");
        file.try_lock().map_err(|_| taken())?;
        // Whoever held it before us may have given it its name meanwhile: then it is no draft.
        let is_same = fs::metadata(&path).is_ok_and(|there| {
            file.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
        });
        if !is_same {
            return Err(taken());
        }
        let draft = Draft { file, path, to: to.to_owned(), is_kept: false };
        draft.file.set_len(0)?;
        draft.file.set_permissions(fs::Permissions::from_mode(0o600))?;
        Ok(draft)
    }

    /// Where it is until it is kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, in place of any other.
    pub fn keep(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, &self.to)?;
        self.is_kept = true;
        sync_folder(&self.to)
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_kept {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Writes a private file: whole and on disk, or as it was before.
pub fn write_whole(to: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = Draft::new(to)?;
    draft.write_all(bytes)?;
    draft.keep()
}

/// A new name is on disk only when its folder is.
pub(super) fn sync_folder(of: &Path) -> io::Result<()> {
    let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty());
    match fs::File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()) {
        // There are file systems that do not know this, and folders that we may write, not read.
        Err(error)
            if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::PermissionDenied) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// Makes a folder that nobody else may look into, unless it is there.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    sync_folder(folder)
}

/// Fails when we may make nothing in a folder.
pub fn may_write(folder: &Path) -> Result<(), StoreError> {
    let may = access(folder, Access::WRITE_OK | Access::EXEC_OK);
    may.map_err(|error| in_file(folder)(error.into()))
}

/// The permissions of a folder, when others than its owner have any.
pub fn open_to_others(folder: &Path) -> Option<u32> {
    let mode = fs::metadata(folder).ok()?.permissions().mode() & 0o777;
    (mode & OF_OTHERS != 0).then_some(mode)
}

/// Takes a file away from everybody but its owner, if it is there and is ours.
pub(super) fn make_private(path: &Path) -> Result<(), StoreError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(in_file(path)(source)),
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OF_OTHERS == 0 || !metadata.is_file() || metadata.uid() != user() {
        return Ok(());
    }
    let private = fs::Permissions::from_mode(mode & !OF_OTHERS);
    fs::set_permissions(path, private).map_err(in_file(path))
}

/// Refuses to work in a data folder as another user than whose it is: the service could not write
/// what that user makes there. A volume that the system gave to a group belongs to root, and to
/// whoever made the database in it.
pub(super) fn check_owner(folder: &Path, database: &Path) -> Result<(), StoreError> {
    let of = |path: &Path| fs::metadata(path).map(|metadata| metadata.uid());
    let owner = of(folder).map_err(in_file(folder))?;
    // A folder that root keeps to itself is no volume for us.
    let is_given_by_root = owner == 0 && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    let (whose, owner) = match of(database).ok() {
        Some(of_database) if is_given_by_root || owner == user() => (database, of_database),
        None if is_given_by_root => return Ok(()),
        Some(_) | None => (folder, owner),
    };
    if owner == user() {
        return refuse_of_others(database);
    }
    // What root puts back as a backup is root's.
    if owner == 0 && whose == database {
        return Err(of_another(database, owner));
    }
    let (their, our, folder) = (name_of(owner), name_of(user()), folder.display());
    Err(StoreError::Refused(format!(
        "{} belongs to the user {their}, and this runs as {our}: {their} could not write what \
         {our} makes there. Run it as that user (`sudo -u {their} footfall …`), or give \
         everything to {our} (`chown -R {our} {folder}`)",
        whose.display()
    )))
}

/// Refuses where the write-ahead log of a database that is ours is somebody else's.
fn refuse_of_others(database: &Path) -> Result<(), StoreError> {
    for ending in ["-wal", "-shm"] {
        let mut path = database.as_os_str().to_owned();
        path.push(ending);
        let path = Path::new(&path);
        match fs::metadata(path).map(|metadata| metadata.uid()) {
            Ok(owner) if owner != user() => return Err(of_another(path, owner)),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

fn of_another(path: &Path, owner: u32) -> StoreError {
    let (path, their, our) = (path.display(), name_of(owner), name_of(user()));
    StoreError::Refused(format!(
        "{path} belongs to the user {their}, and this runs as {our}: give it back \
         (`sudo chown {our} {path}`)"
    ))
}

/// Who we are, by number.
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A user's name, or `#` and the number, which `sudo -u` takes too.
fn name_of(user: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| format!("#{user}"))
}

/// Claims a file, until what is returned is dropped; none while another holds it.
pub(super) fn try_lock(path: &Path) -> Result<Option<fs::File>, StoreError> {
    let mut options = fs::File::options();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.map_err(in_file(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(source)) => Err(in_file(path)(source)),
    }
}

/// The same, and waits a little for one who is about to let go.
pub(super) fn try_lock_within(
    path: &Path,
    milliseconds: u64,
) -> Result<Option<fs::File>, StoreError> {
    for _ in 0..milliseconds / LOCK_STEP_MS {
        if let Some(lock) = try_lock(path)? {
            return Ok(Some(lock));
        }
        std::thread::sleep(Duration::from_millis(LOCK_STEP_MS));
    }
    try_lock(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_whole_or_not_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let to = folder.path().join("a");
        write_whole(&to, b"before").expect("it is written");
        let mut draft = Draft::new(&to).expect("it can be made");
        draft.write_all(b"hal").expect("it is written");
        let second = Draft::new(&to).map(drop).expect_err("one at a time");
        assert_eq!(second.kind(), ErrorKind::ResourceBusy);
        drop(draft);
        assert_eq!(fs::read(&to).expect("it is there"), b"before");
        fs::write(folder.path().join("a.unfinished"), "left by a crash").expect("it is written");
        write_whole(&to, b"after").expect("it is written");
        assert_eq!(fs::read(&to).expect("it is there"), b"after");
        assert_eq!(fs::read_dir(folder.path()).expect("it can be read").count(), 1);
        let mode = fs::metadata(&to).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }
}
