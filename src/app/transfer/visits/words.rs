//! What club systems, terminals and spreadsheets write: the names of columns and in and out, in
//! English, German and other languages; nothing; and lines that are no rows.

use unicode_normalization::UnicodeNormalization;

use crate::domain::names::composed;

/// Names of a column with the account or the club's number of a member, the surest first.
pub const ACCOUNT: &str = "\
    accountid account egymaccountid egymid egymaccount memberid membernumber memberno membernr \
    mitgliedsnummer mitgliednummer mitgliedsnr mitgliednr mitgliedid mitgliedsid kundennummer \
    kundennr kundenid customerid customernumber customerno clientid clientnumber usernumber \
    userid userno personid personalnummer personalnr member mitglied kunde customer client \
    ausweisnummer ausweisnr ausweis kartennummer kartennr cardnumber cardno card enrollnumber \
    enno acno barcode pin nummer number user idclient nclient noclient numeroclient numeroadherent \
    nadherent adherent numeromembre membre idsocio numerosocio nosocio nsocio socio numeroabonado \
    abonado idcliente numerocliente nocliente ncliente cliente codigo numerklienta nrklienta \
    idklienta klient numerkarty nrkarty klubowicz czlonek lidnummer lidnr klantnummer lid tessera \
    numerotessera codicecliente utente nr no id";
/// Names of a column with the time of entry, or of a swipe.
pub const ENTERED: &str = "\
    checkinzeit checkinuhrzeit checkintimestamp checkindatumuhrzeit entrydatetime zutrittszeit \
    eincheckzeit startzeitpunkt ankunft entered enteredat checkintime checkedinat \
    checkindatetime checkin checkedin entrytime entry entertime enterdate enter timein einlass \
    einlasszeit eintrittszeit eintritt eingechecktam eingecheckt kommt kommen kommzeit beginn \
    startzeit starttime start von arrivaltime arrival arrived visitstart in checkindate \
    timestamp zeitstempel zeitpunkt datetime datetimestamp datumuhrzeit datumzeit buchungszeit \
    buchungszeitpunkt swipetime punchtime checktime logtime eventtime uhrzeit zeit time \
    visitdate besuchsdatum heuredentree heureentree dateheureentree dateentree entree arrivee \
    heuredarrivee horaentrada horadeentrada fechahoraentrada entrada horaingreso ingreso \
    horallegada llegada oradientrata oraingresso entrata ingresso binnenkomst inkomst aankomst \
    tijdin godzinawejscia czaswejscia datawejscia wejscie przyjscie horadaentrada chegada dateheure \
    horodatage fechahora dataeora dataora datagodzina dataigodzina datumtijd heure hora ora godzina \
    czas tijd date datum checkindatum fecha data";
/// Names of a column with the time of leaving.
pub const LEFT: &str = "\
    checkoutzeit checkoutuhrzeit checkouttimestamp checkoutdatumuhrzeit exitdatetime \
    auscheckzeit endzeitpunkt abgang left leftat checkouttime checkedoutat checkoutdatetime \
    checkout checkedout exittime exit leavetime leavedate leave timeout auslass auslasszeit \
    austrittszeit austritt ausgechecktam ausgecheckt geht gehen gehzeit ende endzeit endtime \
    end bis departuretime departure departed visitend out checkoutdate checkoutdatum signout \
    signedout signouttime clockout clockouttime heuredesortie heuresortie dateheuresortie sortie \
    depart heurededepart horasalida horadesalida fechahorasalida salida egreso oradiuscita \
    orauscita uscita vertrek vertrektijd tijduit godzinawyjscia czaswyjscia datawyjscia wyjscie \
    horadasaida saida";
/// Names of a column with the date of entry.
pub const DATE: &str = "\
    checkindatum date datum tag day checkindate entrydate eintrittsdatum besuchsdatum \
    visitdate besuchstag startdatum startdate fecha data jour dia giorno dzien dag datedevisite \
    datedentree dateentree fechaentrada datawejscia datadiingresso";
/// Names of a column with the date of leaving.
pub const LEFT_DATE: &str = "\
    checkoutdatum checkoutdate exitdate austrittsdatum enddatum enddate departuredate \
    datumbis bisdatum datumende dateto todate datumgeht gehtdatum datumaustritt dateout datedesortie datesortie fechasalida datadiuscita datawyjscia vertrekdatum";
/// Names of a column with the gym of a row.
pub const GYM: &str = "\
    studio studioname filiale club clubname standort branch gym gymname niederlassung facility \
    anlage location locationname visitlocation checkinlocation site sitename centre center centro \
    sede sucursal salle etablissement klub lokalizacja vestiging locatie palestra";
/// Names of a column that says in or out.
pub const DIRECTION: &str = "\
    direction richtung inout inoutmode kommengehen kommtgeht entryexit checktype buchungsart \
    inoutstate inoutstatus punchstate punchtype attendancestate sens direccion sentido kierunek \
    richting verso eventtype ereignis event action aktion status state type typ art tipo \
    tipomovimiento mouvement evento zdarzenie";
/// Those of them that say nothing else.
pub const SURE_DIRECTION: &str = "\
    direction richtung inout inoutmode kommengehen kommtgeht entryexit checktype buchungsart \
    inoutstate inoutstatus punchstate punchtype attendancestate sens direccion sentido kierunek \
    richting verso";
/// How names of a column with the length of a visit begin.
pub const DURATION: [&str; 8] = [
    "dauer",
    "duration",
    "verweildauer",
    "aufenthaltsdauer",
    "lengthofvisit",
    "visitlength",
    "visitduration",
    "duree",
];
/// Names of a column that says whether somebody was let in.
pub const RESULT: &str = "\
    result ergebnis status state accessresult accessstatus access zugang zutritt event ereignis \
    eventtype eventdescription description beschreibung message meldung outcome response resultat \
    resultado wynik";

const IN: &str = "\
    in i cin checkin checkedin clockin entry entrance enter entered login arrival kommen kommt \
    komme k eingang eintritt einlass einchecken eingecheckt zutritt betreten ein gymcheckin signin \
    signedin entrada entrar ingreso llegada entree arrivee entrata ingresso binnen inkomst ingang \
    aankomst wejscie przyjscie chegada prichod";
const OUT: &str = "\
    out o cout checkout checkedout clockout exit leave left logout departure gehen geht gehe g \
    ausgang austritt auslass auschecken ausgecheckt verlassen aus gymcheckout signout signedout \
    salida salir egreso sortie depart uscita partenza uit uitgang vertrek wyjscie saida odchod";
/// Who was not let in did not come.
const REFUSED: &str = "\
    denied refused rejected declined verweigert abgelehnt abgewiesen geweigerd refuse refusee \
    denegado denegada rechazado rechazada negato rifiutato odmowa odrzucono negado recusado";
/// What says so only where in or out is said.
const FAILED: &str = "\
    not no nicht kein keine invalid unknown failed failure error expired blocked locked \
    unauthorized unauthorised forbidden ungultig unbekannt gesperrt fehlgeschlagen fehler \
    abgelaufen";
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

/// The same without accents, as names of columns are compared: `Heure d’entrée` is `heuredentree`.
pub fn folded(text: &str) -> String {
    let letters = text.nfkd().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    letters.map(|c| if c == 'ł' { 'l' } else { c }).collect()
}

fn says_any(text: &str, words: &str) -> bool {
    let text = composed(text);
    let mut said = text.split(|c: char| !c.is_alphanumeric()).map(folded);
    said.any(|word| is_among(words, &word))
}

/// Whether a text says that somebody was not let in.
pub fn is_refusal(text: &str) -> bool {
    says_any(text, REFUSED)
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
    if is_refusal(text) || says_any(text, FAILED) {
        return None;
    }
    let (whole, text) = (folded(text), composed(text));
    let says = |word: &str| match (is_among(IN, word), is_among(OUT, word)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        (true, true) | (false, false) => None,
    };
    if let Some(entry) = says(&whole) {
        return Some(entry);
    }
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 1);
    let said: Vec<bool> = words.filter_map(|word| says(&folded(word))).collect();
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
        for word in ["Entrada", "Entrée", "Wejście", "ENTRE\u{301}E principale"] {
            assert_eq!(is_entry(word), Some(true), "{word}");
        }
        for word in ["Salida", "Sortie", "WYJŚCIE", "Uscita 2"] {
            assert_eq!(is_entry(word), Some(false), "{word}");
        }
        let refused = ["Zutritt verweigert", "Entry denied", "No entry", "Kein Zutritt"];
        for word in refused.into_iter().chain(["", "0", "1", "Drehkreuz", "in/out", "Ein/Aus"]) {
            assert_eq!(is_entry(word), None, "{word}");
        }
        for text in ["", " - ", "NULL", "n/a", "0000-00-00 00:00:00", "00.00.0000", "--:--"] {
            assert!(is_nothing(text), "{text}");
        }
        assert!(!is_nothing("00:00") && !is_nothing("2026-03-01"));
        assert!(is_remark("Summe: 12") && is_remark("-- Seite 1 von 3") && !is_remark("4711"));
    }
}
