//! Any list of rows as CSV: nested names are joined by `_`, lists spread over columns.

use serde::Serialize;
use serde_json::Value;

/// Rows that are made one at a time: of a long report no two are there in pieces at once.
pub type Rows<'a> = Box<dyn Iterator<Item = Value> + 'a>;

/// What is listed, row by row.
pub fn rows(list: &[impl Serialize]) -> Rows<'_> {
    Box::new(list.iter().map(|row| serde_json::to_value(row).expect("rows are plain JSON")))
}

/// Writes rows under a header of all their columns, in the order in which these first occur. They
/// are asked for twice: for their columns, and for their cells.
///
/// `header` names columns that are there also without rows.
pub fn write<'a>(header: &[&str], rows: impl Fn() -> Rows<'a>) -> String {
    let mut columns: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    for (name, _) in rows().flat_map(|row| cells_of(&row)) {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&columns).expect("memory takes all that is written");
    for cells in rows().map(|row| cells_of(&row)) {
        let cell = |column: &String| {
            let found = cells.iter().find(|(name, _)| name == column);
            found.map_or("", |(_, text)| text.as_str())
        };
        let record = columns.iter().map(cell);
        writer.write_record(record).expect("memory takes all that is written");
    }
    let bytes = writer.into_inner().expect("memory takes all that is written");
    String::from_utf8(bytes).expect("it was made of text")
}

fn cells_of(row: &Value) -> Vec<(String, String)> {
    let mut cells = Vec::new();
    flatten("", row, &mut cells);
    cells
}

fn flatten(name: &str, value: &Value, cells: &mut Vec<(String, String)>) {
    let under = |part: &str| match name {
        "" => part.to_owned(),
        name => format!("{name}_{part}"),
    };
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(part, value)| flatten(&under(part), value, cells));
        }
        // A histogram: its bins are columns.
        Value::Array(items) if items.iter().all(|item| item.get("from_minutes").is_some()) => {
            for bin in items {
                let from = bin["from_minutes"].to_string();
                flatten(&under(&from), &bin["visits"], cells);
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                flatten(&under(&place.to_string()), item, cells);
            }
        }
        Value::Null => cells.push((name.to_owned(), String::new())),
        Value::String(text) => cells.push((name.to_owned(), as_text(text))),
        Value::Bool(_) | Value::Number(_) => cells.push((name.to_owned(), value.to_string())),
    }
}

/// A text that a spreadsheet takes for a text, and not for a formula to follow.
fn as_text(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return format!("'{text}");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_rows_become_columns() {
        let rows = [
            json!({ "start": "a,b", "by": { "x": 1, "y": null }, "active": [3, 4] }),
            json!({ "start": "c", "by": { "x": 2, "y": 0.5 }, "active": [5],
                    "histogram": [{ "from_minutes": 0, "visits": 7 }] }),
        ];
        let lines = [
            "start,by_x,by_y,active_0,active_1,histogram_0",
            "\"a,b\",1,,3,4,",
            "c,2,0.5,5,,7",
            "",
        ];
        assert_eq!(write(&[], || super::rows(&rows)), lines.join("\n"));
    }

    #[test]
    fn no_text_is_a_formula() {
        let rows =
            [json!({ "a": "=cmd|' /C calc'!A1", "b": "@SUM(1)", "c": -3, "d": "2026-03-01" })];
        let written = write(&[], || super::rows(&rows));
        assert_eq!(written, "a,b,c,d\n'=cmd|' /C calc'!A1,'@SUM(1),-3,2026-03-01\n");
    }
}
