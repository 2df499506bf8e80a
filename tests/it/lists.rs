//! Lists of visits as spreadsheets, club systems and terminals write them.

mod doubts;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::service::{Service, run, run_json, verify};

const MEMBER: u128 = 0x0815;

/// A service with the gym `mitte` in Berlin, a folder for lists, and whose the number 0815 is.
struct Scene {
    service: Service,
    token: String,
    folder: TempDir,
}

impl Scene {
    fn new() -> Scene {
        let service = Service::start();
        service.add_gym("mitte", "Europe/Berlin");
        let token = service.add_token("all", "admin", &[]);
        let folder = TempDir::new().expect("a temporary folder");
        let scene = Scene { service, token, folder };
        scene.write("a.csv", format!("member,account\n0815,{}\n", Uuid::from_u128(MEMBER)));
        scene
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("it is written");
        path
    }

    fn args(&self, list: &Path, more: &[&str]) -> Vec<String> {
        let accounts = self.folder.path().join("a.csv").display().to_string();
        let list = list.display().to_string();
        let args = ["import", &list, "--gym", "mitte", "--accounts", &accounts];
        args.iter().chain(more).map(|word| (*word).to_owned()).collect()
    }

    fn import(&self, list: &Path, more: &[&str]) -> Value {
        let args = self.args(list, &[more, &["--json"]].concat());
        run_json(self.service.data(), &args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn refused(&self, list: &Path, more: &[&str]) -> String {
        let args = self.args(list, more);
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let output = run(self.service.data(), &args);
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// The member's visits: from, until, and how that is known; without the seconds.
    async fn visits(&self, member: u128) -> Vec<String> {
        let path = format!("/api/v1/gyms/mitte/members/{}", Uuid::from_u128(member));
        let (status, member) = self.service.get(&self.token, &path).await;
        if status == 404 {
            return vec![];
        }
        let visits = member["visits"].as_array().expect("a list");
        let time =
            |visit: &Value, name: &str| visit[name].as_str().expect("a time")[..16].to_owned();
        let text = visits.iter().map(|visit| {
            let ended = visit["ended_by"].as_str().expect("a word");
            format!("{} {} {ended}", time(visit, "entered"), time(visit, "left"))
        });
        text.collect()
    }

    /// Imports a list, twice, and looks at the visits it makes.
    async fn is(&self, text: impl AsRef<[u8]>, more: &[&str], visits: &[&str]) {
        let shown = String::from_utf8_lossy(text.as_ref()).into_owned();
        let list = self.write("list.csv", text.as_ref());
        let would = self.import(&list, &[more, &["--dry-run"]].concat());
        let mut done = self.import(&list, more);
        done["dry_run"] = json!(true);
        assert_eq!(done, would, "{shown}");
        assert_eq!(self.visits(MEMBER).await, visits, "{shown}");
        let closed = visits.iter().filter(|visit| visit.ends_with("checkout")).count();
        let count = |name: &str| done["gyms"][0][name].as_u64().unwrap_or(0);
        let taken = count("new") + count("duplicate");
        assert!(taken >= (visits.len() + closed) as u64, "{shown}: {done}");
        let again = self.import(&list, more);
        assert_eq!(again["gyms"][0]["new"], 0, "{shown}: {again}");
        assert_eq!(verify(self.service.data())["ok"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_and_out_in_one_minute_is_a_visit_of_no_minutes() {
    let scene = Scene::new();
    let text = "Member ID;Check-in;Check-out\n\
        0815;01.03.2026 10:00;01.03.2026 10:00\n\
        0815;02.03.2026 09:00;02.03.2026 10:00\n\
        0815;03.03.2026 10:00:05;03.03.2026 10:00:03\n\
        0815;04.03.2026 09:00;04.03.2026 10:00\n\
        0815;04.03.2026 10:00;04.03.2026 11:00\n\
        0815;05.03.2026 23:10;06.03.2026 00:20\n\
        ;;\n";
    let visits = [
        "2026-03-01T10:00 2026-03-01T10:00 checkout",
        "2026-03-02T09:00 2026-03-02T10:00 checkout",
        "2026-03-03T10:00 2026-03-03T10:00 checkout",
        "2026-03-04T09:00 2026-03-04T11:00 checkout",
        "2026-03-05T23:10 2026-03-06T00:20 checkout",
    ];
    scene.is(text, &[], &visits).await;
    let path = "/api/v1/gyms/mitte/reports/quality?from=2026-03-01&until=2026-04-01";
    let totals = scene.service.get_ok(&scene.token, path).await["totals"].clone();
    assert_eq!((&totals["orphan_checkouts"], &totals["without_checkout"]), (&json!(0), &json!(0)));
}

/// One evening, as one program or another writes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_evening_is_read_from_what_each_program_writes() {
    let scene = Scene::new();
    let evening = ["2026-03-17T18:05 2026-03-17T19:20 checkout"];
    let latin: Vec<u8> =
        "Mitgliedsnr;Name;Kommt;Geht\n0815;M\u{fc}ller;17.03.2026 18:05;17.03.2026 19:20\n"
            .chars()
            .map(|c| c as u8)
            .collect();
    scene.is(&latin, &[], &evening).await;
    let utf_16: Vec<u8> = "\u{feff}Member Number\tCheck-In\tCheck-Out\r\n0815\t2026-03-17 18:05\t2026-03-17 19:20\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    scene.is(&utf_16, &[], &evening).await;
    for text in [
        "Besuche im M\u{e4}rz\nStand: 01.04.2026\n\nMitgliedsnummer;Datum;Kommt;Geht\n0815;17.03.2026;18:05;19:20\nSumme;;;1\n",
        "Date,Member ID,Time In,Time Out\n3/17/2026,0815,6:05 PM,7:20 PM\n",
        "Club,User number,Full name,Enter date,Leave date\nMitte,0815,\"Doe, Jo\",2026-03-17 18:05:00,2026-03-17 19:20:00\n",
        "member_id|check_in|check_out\n0815|2026-03-17T17:05Z|2026-03-17T19:20+01:00\n",
        "sep=;\n\"Member ID\";\"Check In Date\";\"Check In Time\";\"Check Out Date\";\"Check Out Time\"\n\"=\"\"0815\"\"\";17.03.2026;18:05;17.03.2026;19:20\n",
        "Nr,Kommt,Geht\r'0815,46098.753472222,46098.805555556\r",
        "Nr;Name;Kommt;Geht\n0815;\"Max;17.03.2026 18:05;17.03.2026 19:20\nNr;Name;Kommt;Geht\n0815;Max \"Maxi;17.03.2026 18:05;17.03.2026 19:20\n",
        "Mitglied-Nr.;Check-in Datum;Check-in Uhrzeit;Check-out Datum;Check-out Uhrzeit\n0815;17.03.2026;18:05;17.03.2026;19:20\nSeite 1 von 1\n",
        "Nr;Zeit;Richtung\n0815;17.03.2026 18:05;Kommen\n0815;17.03.2026 19:20;Gehen\n",
        "User ID,Timestamp,Reader,Status\n0815,2026-03-17 19:20,Turnstile,OUT\n0815,2026-03-17 18:05,Turnstile,IN\n",
    ] {
        scene.is(text, &[], &evening).await;
    }
    let mapping = scene
        .write("t.toml", "account = 1\nentered = 2\ndirection = 4\nin = [\"0\"]\nout = [\"1\"]\n");
    let attlog =
        "     0815\t2026-03-17 18:05:00\t1\t0\t1\t0\n     0815\t2026-03-17 19:20:00\t1\t1\t1\t0\n";
    let mapping = mapping.display().to_string();
    scene.is(attlog, &["--mapping", &mapping], &evening).await;
    let mapping = scene.write("d.toml", "duration = \"Dauer (Min)\"\nentered = \"Beginn\"\n");
    let text = "Nr;Beginn;Dauer (Min)\n0815;17.03.2026 18:05;75\n";
    scene.is(text, &["--mapping", &mapping.display().to_string()], &evening).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visit_without_check_out_stays_however_nothing_is_written() {
    let scene = Scene::new();
    let nothings = [
        "",
        "-",
        "--",
        "NULL",
        "null",
        "n/a",
        "0000-00-00",
        "0000-00-00 00:00:00",
        "01.01.1900",
        "1899-12-30 00:00:00",
        "9999-12-31 23:59",
        "2026-03-01 00:00:00",
        "00:00",
    ];
    let mut text = "Member ID,Check-in,Check-out\n".to_owned();
    let mut visits = Vec::new();
    for (nothing, day) in nothings.iter().zip(1..) {
        writeln!(text, "0815,2026-03-{day:02} 10:00,{nothing}").expect("a string takes it");
        visits.push(format!("2026-03-{day:02}T10:00 2026-03-{day:02}T11:15 assumed"));
    }
    let visits: Vec<&str> = visits.iter().map(String::as_str).collect();
    scene.is(text.as_str(), &[], &visits).await;
    // Also where the mapping says how times are written.
    let mapping = "entered = \"Check-in\"\nleft = \"Check-out\"\nformat = \"%Y-%m-%d %H:%M\"\n";
    let mapping = scene.write("f.toml", mapping).display().to_string();
    let text = text.replace("2026-03-01 00:00:00", "2026-03-01 00:00");
    scene.is(text, &["--mapping", &mapping], &visits).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_several_gyms_is_divided_or_one_is_picked() {
    let scene = Scene::new();
    scene.service.add_gym("nyc", "America/New_York");
    let text = "Studio;Nr;Kommt;Geht\n\
        Berlin-Mitte;0815;17.03.2026 18:05;17.03.2026 19:20\n\
        New York;0815;18.03.2026 18:05;18.03.2026 19:20\n";
    let evening = ["2026-03-17T18:05 2026-03-17T19:20 checkout"];
    let only = ["--gym-column", "Studio", "--only", "Berlin Mitte"];
    scene.is(text, &only, &evening).await;
    let list = scene.write("list.csv", text);
    let error = scene.refused(&list, &[]);
    assert!(error.contains("\"Studio\" seems to name several gyms"), "{error}");
    let error = scene.refused(&list, &["--only", "x"]);
    assert!(error.contains("--gym-column"), "{error}");
    let all = scene.import(&list, &["--all-rows", "--dry-run"]);
    assert_eq!(all["gyms"][0]["new"], 2, "{all}");
    let mapping = scene.write(
        "g.toml",
        "gym = \"Studio\"\naccounts = \"a.csv\"\n[gyms]\nBerlin-Mitte = \"mitte\"\n\"New York\" = \"nyc\"\n",
    );
    let (list, mapping) = (list.display().to_string(), mapping.display().to_string());
    let both = run_json(scene.service.data(), &["import", &list, "--mapping", &mapping, "--json"]);
    assert_eq!(both["gyms"][0]["duplicate"], 2, "{both}");
    assert_eq!((&both["gyms"][1]["gym"], &both["gyms"][1]["new"]), (&json!("nyc"), &json!(2)));
    assert_eq!(both["gyms"][1]["first"], "2026-03-18T22:05:00Z", "by the clock of New York");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_mean_two_things_is_refused_with_the_word_that_decides() {
    let scene = Scene::new();
    let text = "Member ID,Check-in,Check-out\n0815,03/04/2026 10:00,03/04/2026 11:00\n";
    let list = scene.write("list.csv", text);
    let error = scene.refused(&list, &[]);
    assert!(
        error.contains("line 2: its \"Check-in\" may have") && error.contains("--date-order"),
        "{error}"
    );
    scene
        .is(text, &["--date-order", "month-first"], &["2026-03-04T10:00 2026-03-04T11:00 checkout"])
        .await;

    let other = Uuid::from_u128(1);
    let known = Uuid::from_u128(MEMBER);
    scene.write("a.csv", format!("member;account\n0815;{known}\n0815;{known}\n4711;{known}\n"));
    scene.import(&list, &["--date-order", "month-first"]);
    scene.write("a.csv", format!("member;account\n0815;{known}\n\n0815;{other}\n"));
    let error = scene.refused(&list, &["--date-order", "month-first"]);
    assert!(error.contains("lines 2 and 4 give one number to two accounts"), "{error}");
    assert!(!error.contains("0815") && !error.contains(&other.to_string()), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_rows_are_named_and_kept_so_that_they_can_be_mended() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let good = "0815;17.03.2026 18:05;17.03.2026 19:20\n";
    let text = format!(
        "Nr;Kommt;Geht\n{good}4711;18.03.2026 10:00;18.03.2026 11:00\n0815;gestern;heute\n\
         0815;19.03.2026 11:00;19.03.2026 10:00\n"
    );
    let list = scene.write("list.csv", &text);
    let error = scene.refused(&list, &[]);
    for words in [
        "3 lines",
        "line 3: its \"Nr\" is not in",
        "line 4: its \"Kommt\" is no time",
        "line 5: it leaves",
    ] {
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(scene.visits(MEMBER).await, [""; 0]);
    let file = scene.folder.path().join("bad.csv");
    let named = file.display().to_string();
    let report = scene.import(&list, &["--skip-bad-lines", &named, "--dry-run"]);
    assert!(report["bad_lines"] == 3 && !file.exists(), "{report}");
    let report = scene.import(&list, &["--skip-bad-lines", &named]);
    assert_eq!((&report["bad_lines"], &report["refused"]), (&json!(3), &json!(named)));
    assert_eq!(report["gyms"][0]["new"], 2);
    let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept = std::fs::read_to_string(&file).expect("it is text");
    let lines: Vec<&str> = kept.lines().collect();
    assert_eq!((lines.len(), lines[0]), (4, "Nr;Kommt;Geht;refused"));
    assert!(lines[3].starts_with("0815;19.03.2026 11:00;19.03.2026 10:00;\"line 5: it leaves"));
    let mended = kept.replace("19.03.2026 10:00", "19.03.2026 12:00");
    let mended = scene.write("mended.csv", mended);
    let report = scene.import(&mended, &["--skip-bad-lines"]);
    assert_eq!((&report["bad_lines"], &report["gyms"][0]["new"]), (&json!(2), &json!(2)));
    assert!(scene.folder.path().join("mended.csv.refused").exists());
    let error = scene.refused(&list, &["--skip-bad-lines", &list.display().to_string()]);
    assert!(error.contains("would write over"), "{error}");
}
