//! The text of a list as some program wrote it: its encoding, its line ends, its cells.
//!
//! A row stands by itself as far as it can: a quote that is opened and never closed costs its own
//! row, and not those that follow.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The largest list that is read, in bytes: some four million visits. It is held in memory.
const FILE_BYTES_MAX: u64 = 512 << 20;
/// The longest row that is read, in bytes.
pub const ROW_BYTES_MAX: usize = 64 << 10;
/// Over so many lines a quoted cell may run.
const QUOTED_LINES_MAX: usize = 20;
/// So many bytes tell whether a text without a byte order mark is UTF-16.
const SAMPLE_BYTES: usize = 1_024;

/// One row: the line on which it begins, its text, and what stands in its cells.
pub struct Row<'t> {
    pub line: u64,
    pub text: &'t str,
    pub cells: Vec<String>,
}

impl Row<'_> {
    pub fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    pub fn is_empty(&self) -> bool {
        self.cells.iter().all(String::is_empty)
    }
}

/// Reads a file as text, whatever its encoding, with every line ended by `\n`.
pub fn read(path: &Path) -> anyhow::Result<String> {
    let about = || format!("cannot read {}", path.display());
    let bytes = fs::metadata(path).with_context(about)?.len();
    if bytes > FILE_BYTES_MAX {
        let max = FILE_BYTES_MAX >> 20;
        bail!("{} is larger than {max} MiB; import it in parts", path.display());
    }
    Ok(decode(&fs::read(path).with_context(about)?))
}

/// The text of a file, whatever its encoding, with every line ended by `\n`.
pub fn decode(bytes: &[u8]) -> String {
    let text = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) if encoding != UTF_8 => {
            encoding.decode_without_bom_handling(&bytes[mark..]).0.into_owned()
        }
        Some((_, mark)) => by_line(&bytes[mark..]),
        None => match utf_16(bytes) {
            Some(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
            None => by_line(bytes),
        },
    };
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "")
}

/// Each line is UTF-8, or else what Windows writes in western Europe and America. A list that was
/// put together from two has lines of both.
fn by_line(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match std::str::from_utf8(line) {
            Ok(line) => text.push_str(line),
            Err(_) => text.push_str(&WINDOWS_1252.decode_without_bom_handling(line).0),
        }
    }
    text
}

/// Every second byte of UTF-16 is zero where the text is Latin.
fn utf_16(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    let zeros = |odd: usize| {
        let bytes = sample.iter().skip(odd).step_by(2);
        bytes.filter(|byte| **byte == 0).count() * 2 > sample.len() / 2
    };
    match (zeros(0), zeros(1)) {
        (false, true) => Some(UTF_16LE),
        (true, false) => Some(UTF_16BE),
        (true, true) | (false, false) => None,
    }
}

/// The rows of a text, without its blank lines.
pub fn rows(text: &str, delimiter: char) -> impl Iterator<Item = Row<'_>> {
    let (mut at, mut line) = (0, 0);
    std::iter::from_fn(move || {
        while at < text.len() {
            let (start, first) = (at, line + 1);
            let (cells, end, lines) = row(&text[start..], delimiter);
            (at, line) = (start + end, line + lines);
            let text = text[start..at].trim_end_matches('\n');
            if !text.trim().is_empty() {
                return Some(Row { line: first, text, cells });
            }
        }
        None
    })
}

/// The first row of a text: its cells, how many bytes it has, and how many lines.
fn row(text: &str, delimiter: char) -> (Vec<String>, usize, u64) {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1).chain([text.len()]);
    let mut first = text.len();
    for (end, lines) in ends.take(QUOTED_LINES_MAX).zip(1..) {
        if lines == 1 {
            first = end;
        }
        if end > ROW_BYTES_MAX {
            break;
        }
        match split(text[..end].trim_end_matches('\n'), delimiter) {
            Split::Cells(cells)
                if cells.iter().any(|cell| is_rows(cell, delimiter, cells.len())) =>
            {
                break;
            }
            Split::Cells(cells) => return (cells, end, lines),
            Split::Open => {}
            Split::Malformed => break,
        }
    }
    let line = text[..first].trim_end_matches('\n');
    let cells = if line.len() > ROW_BYTES_MAX {
        vec![]
    } else {
        line.split(delimiter).map(clean).collect()
    };
    (cells, first, 1)
}

/// Whether a cell over several lines holds what are rows by themselves: a quote was opened in one
/// row, and one stands in a later row by chance.
fn is_rows(cell: &str, delimiter: char, width: usize) -> bool {
    let has_time = || {
        let around = |at: usize| {
            let digit = |c: char| c.is_ascii_digit();
            cell[..at].ends_with(digit) && cell[at + 1..].starts_with(digit)
        };
        cell.match_indices(':').any(|(at, _)| around(at))
    };
    cell.contains('\n') && cell.matches(delimiter).count() + 1 >= width && has_time()
}

enum Split {
    Cells(Vec<String>),
    /// A quote was opened and not closed.
    Open,
    /// A quote was closed in the middle of a cell.
    Malformed,
}

fn split(text: &str, delimiter: char) -> Split {
    let (mut cells, mut rest) = (Vec::new(), text);
    loop {
        let (cell, after) = match rest.strip_prefix('"') {
            None => {
                let end = rest.find(delimiter).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
            Some(quoted) => {
                let Some((cell, after)) = unquote(quoted) else { return Split::Open };
                let after = if delimiter == '\t' { after } else { after.trim_start() };
                if !after.is_empty() && !after.starts_with(delimiter) {
                    return Split::Malformed;
                }
                (cell, after)
            }
        };
        cells.push(clean(&cell));
        match after.strip_prefix(delimiter) {
            Some(next) => rest = next,
            None => return Split::Cells(cells),
        }
    }
}

/// What stands in the quotes, and what follows them; none when they are not closed.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let (mut cell, mut rest) = (String::new(), quoted);
    loop {
        let end = rest.find('"')?;
        cell.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                cell.push('"');
                rest = after;
            }
            None => return Some((cell, rest)),
        }
    }
}

/// A cell without what spreadsheets put around it so that a number stays as it is.
fn clean(cell: &str) -> String {
    let cell = cell.trim();
    let guarded = cell.strip_prefix("=\"").and_then(|inner| inner.strip_suffix('"'));
    guarded.unwrap_or(cell.strip_prefix('\'').unwrap_or(cell)).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Vec<(u64, Vec<String>)> {
        rows(text, ';').map(|row| (row.line, row.cells)).collect()
    }

    #[test]
    fn every_encoding_and_line_end_gives_the_same_text() {
        let text = "Näme;Ort\nMüller;Köln\n";
        let utf_16 =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let windows: Vec<u8> = WINDOWS_1252.encode(text).0.into_owned();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            text.replace('\n', "\r\n").into_bytes(),
            text.replace('\n', "\r").into_bytes(),
            windows,
            utf_16(text),
            [vec![0xff, 0xfe], utf_16(text)].concat(),
            [b"\0\0", text.as_bytes()].concat(),
        ] {
            assert_eq!(decode(&bytes), text, "{bytes:?}");
        }
        assert_eq!(decode(b"M\xfcller\nK\xc3\xb6ln\n"), "Müller\nKöln\n", "lines of both");
    }

    #[test]
    fn a_quote_that_is_not_closed_costs_its_own_row() {
        let text = "1;\"a;b\"\n\n2;\"a\nb\";c\n3;\"open;c\n4;\"also;c\n5;=\"007\";'x\n";
        assert_eq!(
            cells(text),
            [
                (1, vec!["1".into(), "a;b".into()]),
                (3, vec!["2".into(), "a\nb".into(), "c".into()]),
                (5, vec!["3".into(), "\"open".into(), "c".into()]),
                (6, vec!["4".into(), "\"also".into(), "c".into()]),
                (7, vec!["5".into(), "007".into(), "x".into()]),
            ]
        );
        let text = "1;\"a;10:05;b\n2;c;11:05;d\n3;e\";12:05;f\n4;\"at;1,\nb\";13:05;g\n";
        let lines: Vec<_> =
            cells(text).into_iter().map(|(line, cells)| (line, cells.len())).collect();
        assert_eq!(lines, [(1, 4), (2, 4), (3, 4), (4, 4)], "a quote by chance costs no rows");
        let long = format!("1;{}\n2;b\n", "x".repeat(ROW_BYTES_MAX));
        assert_eq!(cells(&long), [(1, vec![]), (2, vec!["2".into(), "b".into()])]);
    }
}
