//! Lines that cannot be understood: the first are named, and all are kept in a file for whoever
//! mends them.

use std::ffi::OsString;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::source::Source;
use super::visits::Line;
use crate::store::Draft;

/// Lines that are named; further ones are only counted.
const NAMED_MAX: usize = 10;

pub struct Refused<'s> {
    source: &'s Source,
    pub lines: u64,
    named: Vec<String>,
    file: Option<(PathBuf, BufWriter<Draft>)>,
}

impl<'s> Refused<'s> {
    /// With `path`, each is written to a file, for the owner alone, which gets that name at the end.
    pub fn new(source: &'s Source, path: Option<&Path>) -> anyhow::Result<Refused<'s>> {
        let file = path.map(|path| {
            let file = Draft::new(path).with_context(|| unwritable(path))?;
            anyhow::Ok((path.to_owned(), BufWriter::new(file)))
        });
        Ok(Refused { source, lines: 0, named: vec![], file: file.transpose()? })
    }

    pub fn add(&mut self, line: Line<'_>, reason: &str) -> anyhow::Result<()> {
        self.lines += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(format!("  line {}: {reason}", line.number));
        }
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let header = self.source.refused_header().filter(|_| self.lines == 1);
        let lines = header.into_iter().chain([self.source.refused(line, reason)]);
        lines
            .into_iter()
            .try_for_each(|line| writeln!(file, "{line}"))
            .with_context(|| unwritable(path))
    }

    /// Puts the file in place, if there is a line in it. Returns how many there are.
    pub fn finish(self) -> anyhow::Result<u64> {
        let Some((path, file)) = self.file.filter(|_| self.lines > 0) else {
            return Ok(self.lines);
        };
        let file = file.into_inner().map_err(|error| error.into_error());
        let file = file.with_context(|| unwritable(&path))?;
        file.keep().with_context(|| unwritable(&path))?;
        Ok(self.lines)
    }

    /// Says what is wrong, if anything is.
    pub fn refuse(self) -> anyhow::Result<u64> {
        if self.lines > 0 {
            bail!(
                "{} lines cannot be understood, and nothing was taken in; --skip-bad-lines leaves \
                 them out, and writes them to a file\n{}",
                self.lines,
                self.named.join("\n")
            );
        }
        Ok(0)
    }
}

/// Where refused lines are written when nobody says.
pub fn beside(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".refused");
    PathBuf::from(name)
}

fn unwritable(path: &Path) -> String {
    format!("cannot write {}; --skip-bad-lines can name another file", path.display())
}
