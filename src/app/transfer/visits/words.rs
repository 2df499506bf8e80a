//! What club systems, terminals and spreadsheets write, in English and German: the names of
//! columns, in and out, nothing, and lines that are no rows.

/// Names of a column with the account or the club's number of a member, the surest first.
pub const ACCOUNT: &str = "\
    accountid account egymaccountid egymid egymaccount memberid membernumber memberno membernr \
    mitgliedsnummer mitgliednummer mitgliedsnr mitgliednr mitgliedid mitgliedsid kundennummer \
    kundennr kundenid customerid customernumber customerno clientid clientnumber usernumber \
    userid userno personid personalnummer personalnr member mitglied kunde customer client \
    ausweisnummer ausweisnr ausweis kartennummer kartennr cardnumber cardno card enrollnumber \
    enno acno barcode pin nummer number user nr no id";
/// Names of a column with the time of entry, or of a swipe.
pub const ENTERED: &str = "\
    checkinzeit checkinuhrzeit checkintimestamp checkindatumuhrzeit entrydatetime zutrittszeit \
    eincheckzeit startzeitpunkt ankunft entered enteredat checkintime checkedinat \
    checkindatetime checkin checkedin entrytime entry entertime enterdate enter timein einlass \
    einlasszeit eintrittszeit eintritt eingechecktam eingecheckt kommt kommen kommzeit beginn \
    startzeit starttime start von arrivaltime arrival arrived visitstart in checkindate \
    timestamp zeitstempel zeitpunkt datetime datetimestamp datumuhrzeit datumzeit buchungszeit \
    buchungszeitpunkt swipetime punchtime checktime logtime eventtime uhrzeit zeit time \
    visitdate besuchsdatum date datum checkindatum";
/// Names of a column with the time of leaving.
pub const LEFT: &str = "\
    checkoutzeit checkoutuhrzeit checkouttimestamp checkoutdatumuhrzeit exitdatetime \
    auscheckzeit endzeitpunkt abgang left leftat checkouttime checkedoutat checkoutdatetime \
    checkout checkedout exittime exit leavetime leavedate leave timeout auslass auslasszeit \
    austrittszeit austritt ausgechecktam ausgecheckt geht gehen gehzeit ende endzeit endtime \
    end bis departuretime departure departed visitend out checkoutdate checkoutdatum";
/// Names of a column with the date of entry.
pub const DATE: &str = "\
    checkindatum date datum tag day checkindate entrydate eintrittsdatum besuchsdatum \
    visitdate besuchstag startdatum startdate";
/// Names of a column with the date of leaving.
pub const LEFT_DATE: &str = "\
    checkoutdatum checkoutdate exitdate austrittsdatum enddatum enddate departuredate";
/// Names of a column with the gym of a row.
pub const GYM: &str = "\
    studio studioname filiale club clubname standort branch gym gymname niederlassung facility \
    anlage";
/// Names of a column that says in or out.
pub const DIRECTION: &str = "\
    direction richtung inout inoutmode kommengehen kommtgeht entryexit checktype buchungsart \
    eventtype ereignis event action aktion status state type typ art";

const IN: &str = "\
    in i cin checkin checkedin clockin entry entrance enter entered login arrival kommen kommt \
    komme k eingang eintritt einlass einchecken eingecheckt zutritt betreten ein gymcheckin";
const OUT: &str = "\
    out o cout checkout checkedout clockout exit leave left logout departure gehen geht gehe g \
    ausgang austritt auslass auschecken ausgecheckt verlassen aus gymcheckout";
/// Ways to say that there is nothing.
const NOTHING: &str = "\
    - -- --- – — ? . null (null) <null> none nil n/a na #n/a #nv nan nat \\n undefined unknown \
    unbekannt offen open leer (leer) empty 0 never nie -:- --:-- -:-:- --:--:--";
/// How lines begin that stand above, below and between rows.
const REMARKS: &str = "\
    total totals sum summe gesamt gesamtsumme gesamtanzahl insgesamt zwischensumme subtotal \
    anzahl count average durchschnitt seite page stand erstellt gedruckt printed generated \
    report bericht ende end besuche visits zeilen rows";

/// Lower case, letters and digits only: `Check-In Time` is `checkintime`.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

pub fn is_among(words: &str, word: &str) -> bool {
    words.split(' ').any(|known| known == word)
}

pub fn is_nothing(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    if text.is_empty() || is_among(NOTHING, &text) {
        return true;
    }
    // 0000-00-00 00:00:00, 00.00.0000
    let is_date = text.contains('-') || text.contains('.') || text.contains('/');
    is_date && text.chars().all(|c| matches!(c, '0' | '-' | '.' | '/' | ':' | ' ' | 't' | 'z'))
}

/// Whether a line whose time cannot be read is a total, a page's number or the like, by its first
/// cell that is not empty.
pub fn is_remark(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| !c.is_alphabetic()).to_lowercase();
    let word: String = text.chars().take_while(|c| c.is_alphabetic()).collect();
    is_among(REMARKS, &word)
}

/// What a word, or the name of a reader such as `Main entrance IN`, says: in, out, or neither.
pub fn is_entry(text: &str) -> Option<bool> {
    let whole = plain(text);
    let says = |word: &str| match (is_among(IN, word), is_among(OUT, word)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        (true, true) | (false, false) => None,
    };
    if let Some(entry) = says(&whole) {
        return Some(entry);
    }
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 1);
    let said: Vec<bool> = words.filter_map(|word| says(&word.to_lowercase())).collect();
    let first = *said.first()?;
    said.iter().all(|entry| *entry == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_and_out_are_understood_and_nothing_else_is_guessed() {
        for word in ["IN", "Check-In", "C/In", "Kommen", "Eingang Tür 2", "Main entrance IN"] {
            assert_eq!(is_entry(word), Some(true), "{word}");
        }
        for word in ["out", "Check Out", "Gehen", "Ausgang", "Drehkreuz 1 (Out)"] {
            assert_eq!(is_entry(word), Some(false), "{word}");
        }
        for word in ["", "0", "1", "Drehkreuz", "in/out", "Eingang/Ausgang"] {
            assert_eq!(is_entry(word), None, "{word}");
        }
        for text in ["", " - ", "NULL", "n/a", "0000-00-00 00:00:00", "00.00.0000", "--:--"] {
            assert!(is_nothing(text), "{text}");
        }
        assert!(!is_nothing("00:00") && !is_nothing("2026-03-01"));
        assert!(is_remark("Summe: 12") && is_remark("-- Seite 1 von 3") && !is_remark("4711"));
    }
}
