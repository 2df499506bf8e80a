//! What would be read wrongly without a word: it is read right, or refused with its line and reason.

use serde_json::json;

use super::Scene;

const EVENING: [&str; 1] = ["2026-03-17T18:05 2026-03-17T19:20 checkout"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_of_other_languages_and_with_lengths_are_read() {
    let scene = Scene::new();
    for text in [
        "N° client;Date;Heure d'entrée;Heure de sortie\n0815;17/03/2026;18:05;19:20\n",
        "Nº socio;Fecha;Entrada;Salida\n0815;17/03/2026;18:05;19:20\n",
        "Numer klienta;Data;Wejście;Wyjście\n0815;2026-03-17;18:05;19:20\n",
        "ID,Timestamp,Type\n0815,2026-03-17 18:05,Entrada\n0815,2026-03-17 19:20,Salida\n",
        "Nr;Beginn;Dauer (Min)\n0815;17.03.2026 18:05;75\n",
        "Nr;Beginn;Dauer (mm:ss)\n0815;17.03.2026 18:05;75:00\n",
        "id,checkin,checkout\n0815,2026-03-17 18:05:00+01,2026-03-17 19:20:00.123456+01\n",
    ] {
        scene.is(text, &[], &EVENING).await;
    }
    let text = "User ID,Check-in,Check-out\n0815,26-03-17 18:05,26-03-17 19:20\n\
                0815,26-03-05 10:00,26-03-05 10:30\n";
    let early = "2026-03-05T10:00 2026-03-05T10:30 checkout";
    scene.is(text, &[], &[early, EVENING[0]]).await;
}

/// Each list with words of its refusal.
const MISLEADING: [(&str, [&str; 2]); 19] = [
    (
        "Nr,Zeit,Richtung,Geht\n0815,2026-03-17 18:05,IN,2026-03-17 19:20\n\
         0815,2026-03-17 19:20,OUT,\n",
        ["seems to say in or out", "direction = "],
    ),
    (
        "Nr;Kommt;Geht\n0815;26-03-25 10:00;26-03-25 11:00\n",
        ["line 2: ", "--date-order year-first"],
    ),
    ("Nr;Kommt\n0815;2026-03-17 18:05-19:20\n", ["line 2: ", "no time that can be read"]),
    ("Nr;Kommt\n0815;2026-03-18 10:00-11:00\n", ["line 2: ", "no time that can be read"]),
    ("Nr;Datum;Kommt;Geht\n0815;17.03.2026;00.30;00.45\n", ["line 2: ", "no time that can"]),
    ("Nr;Datum;Kommt;Geht\n0815;17.03.2026;19:20;18:05\n", ["line 2: ", "before the entry"]),
    (
        "Nr;Kommt;Geht\n0815;04.03.2026 10:00;04.03.2026 11:00\n\
         0815;3/17/2026 10:00;3/17/2026 11:00\n",
        ["line 2: ", "--date-order"],
    ),
    ("Nr;Beginn;Dauer\n0815;17.03.2026 18:05;75:30\n", ["line 2: ", "no length of time"]),
    ("Nr;Beginn;Dauer (Sek)\n0815;17.03.2026 18:05;4.500\n", ["line 2: ", "no length of time"]),
    (
        "Nr;Zeit;Ereignis\n0815;17.03.2026 18:05;Zutritt verweigert\n\
         0815;17.03.2026 18:06;Zutritt\n",
        ["line 2: ", "neither in nor out"],
    ),
    (
        "Card No,Time,Result\n0815,2026-03-17 18:05,Access denied\n",
        ["line 2: ", "nobody was let in"],
    ),
    (
        "User ID,Time,InOut\n0815,2026-03-17 18:05,0\n0815,2026-03-17 19:20,1\n",
        ["line 2: ", "`in` and `out`"],
    ),
    (
        "User ID,Time,State\n0815,2026-03-17 18:05,0\n0815,2026-03-17 19:20,1\n",
        ["line 3: ", "`in` and `out`"],
    ),
    ("Name;Nr;Kommt;Geht\nPage, Larry;99;gestern;heute\n", ["line 2: ", "no time"]),
    (
        "Nr;Name;Kommt;Geht\n0815;\"Max;17.03.2026 18:05;17.03.2026 19:20\n\
         99;Eva;17.03.2026 10:00;\n99;Otto\";18.03.2026 18:05;\n",
        ["line 3: its \"Nr\"", "line 4: its \"Nr\""],
    ),
    (
        "Member ID,Check-in,Went home\n0815,2026-03-17 18:05,2026-03-17 19:20\n",
        ["\"Went home\" holds times", "left = "],
    ),
    (
        "Nr;Datum;Zeit;Datum;Zeit\n0815;17.03.2026;18:05;17.03.2026;19:20\n",
        ["holds times", "left = "],
    ),
    (
        "Nr;Zeit;Tür\n0815;17.03.2026 18:05;Eingang\n0815;17.03.2026 19:20;Ausgang\n",
        ["seems to say in or out", "direction = "],
    ),
    (
        "Client ID,Location,Check-in\n0815,Mitte,2026-03-17 18:05\n0815,Nord,2026-03-18 18:05\n",
        ["\"Location\" seems to name several gyms", "--gym-column"],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_read_wrongly_is_refused_with_its_reason() {
    let scene = Scene::new();
    for (text, reasons) in MISLEADING {
        let list = scene.write("list.csv", text);
        let error = scene.refused(&list, &[]);
        for reason in reasons {
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert_eq!(scene.visits(super::MEMBER).await, [""; 0], "{text}");
    }
}

/// Titles end at the first row with a time; what is wrong with that row is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_header_no_row_goes_without_a_word() {
    let scene = Scene::new();
    let attlog = "Hall 1\n99\t2026-03-17 18:00:00\t1\t0\n0815\t2026-03-17 18:05:00\t1\t0\n\
                  0815\t2026-03-17 19:20:00\t1\t1\n";
    let list = scene.write("list.csv", attlog);
    let refused = |mapping: &str| {
        let mapping = scene.write("m.toml", mapping).display().to_string();
        scene.refused(&list, &["--mapping", &mapping])
    };
    let columns = "account = 1\nentered = 2\ndirection = 4\n";
    let error = refused(&format!("{columns}in = [\"0\"]\nout = [\"1\"]\n"));
    assert!(error.contains("1 lines") && error.contains("line 2: its \"column 1\""), "{error}");
    let error = refused(columns);
    assert!(error.contains("3 lines") && error.contains("neither in nor out"), "{error}");
    let error = refused("account = 1\nentered = 3\n");
    assert!(error.contains("no row has a time in column 3"), "{error}");
    assert_eq!(scene.visits(super::MEMBER).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_that_cannot_mean_what_it_says_is_refused() {
    let scene = Scene::new();
    let attlog = "0815\t2026-03-17 18:05:00\t1\t0\n0815\t2026-03-17 19:20:00\t1\t1\n";
    let twice = "Nr;Zeit;Zeit\n0815;17.03.2026 18:05;17.03.2026 19:20\n";
    let utc = "Nr;In (UTC)\n0815;17.03.2026 17:05\n";
    for (text, mapping, reason) in [
        (attlog, "account = 1\nentered = 2\nleft = 9\n", "column 9"),
        (attlog, "account = 1\nentered = 2\ndirection = 0\n", "column 0"),
        (twice, "entered = \"Zeit\"\nleft = \"Zeit\"\n", "two columns are called"),
        (utc, "entered = \"In (UTC)\"\n", "time_zone = \"UTC\""),
    ] {
        let list = scene.write("list.csv", text);
        let mapping = scene.write("m.toml", mapping).display().to_string();
        let error = scene.refused(&list, &["--mapping", &mapping]);
        assert!(error.contains(reason), "{error}");
    }
    let mapping = scene.write("m.toml", "entered = \"In (UTC)\"\ntime_zone = \"UTC\"\n");
    let list = scene.write("list.csv", utc);
    let report = scene.import(&list, &["--mapping", &mapping.display().to_string()]);
    assert_eq!(report["gyms"][0]["first"], json!("2026-03-17T17:05:00Z"));
}
