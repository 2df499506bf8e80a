//! Who may change what on the page: every form, for every role, at one's own gym and at another, and
//! with the word of another session.

use super::page::{Browser, add_user, csrf_of};
use crate::service::{Service, run_json};

/// Somebody's role and gyms, as `footfall user add` takes them.
const PEOPLE: [&[&str]; 4] = [
    &["--role", "viewer", "--gym", "mitte"],
    &["--role", "manager", "--gym", "mitte"],
    &["--role", "admin", "--gym", "mitte"],
    &["--role", "admin"],
];

/// A webhook that is not there.
const NONE: &str = "0123456789abcdef01234567";

/// A form, and the first of [`PEOPLE`] that may send it.
struct Sent {
    path: &'static str,
    fields: &'static [(&'static str, &'static str)],
    first: usize,
    /// What is answered to who may.
    status: u16,
}

const fn sent(
    path: &'static str,
    fields: &'static [(&'static str, &'static str)],
    first: usize,
    status: u16,
) -> Sent {
    Sent { path, fields, first, status }
}

const FORMS: [Sent; 15] = [
    sent("/gyms/{gym}/connection", &[], 2, 200),
    // They are looked for, and there are none.
    sent("/gyms/{gym}/connection", &[("again", NONE)], 2, 404),
    // Nobody said how the service is reached.
    sent("/gyms/{gym}/connection", &[("key", "a-key")], 2, 409),
    sent("/gyms/{gym}/quarantine", &[("id", "1")], 2, 404),
    sent("/gyms/{gym}/settings", &[("capacity", "70"), ("public", "off")], 2, 200),
    sent("/gyms/{gym}/settings", &[("name", "Changed"), ("zone", "Europe/Berlin")], 2, 200),
    sent("/gyms/{gym}/settings", &[("retain", "2")], 2, 422),
    // What would go for good is said twice.
    sent("/gyms/{gym}/settings", &[("retain", "24")], 2, 422),
    sent("/gyms/{gym}/leave", &[("do", "archive")], 2, 200),
    sent("/gyms/{gym}/leave", &[("do", "remove"), ("sure", "another")], 2, 422),
    sent("/gyms/{gym}/webhooks", &[("do", "rotate"), ("webhook", NONE)], 2, 404),
    sent("/gyms/{gym}/webhooks", &[("do", "remove"), ("webhook", NONE), ("sure", "yes")], 2, 404),
    sent(
        "/gyms/{gym}/annotations",
        &[("from", "2026-01-01"), ("to", "2026-01-01"), ("kind", "other"), ("text", "x")],
        1,
        200,
    ),
    sent("/people", &[("do", "remove_token"), ("name", "nobody")], 3, 404),
    // A new gym needs a name; who may not add one is not told so.
    sent("/new-gym", &[("name", ""), ("slug", "x"), ("zone", "UTC"), ("capacity", "")], 3, 422),
];

#[actix_web::test]
async fn every_form_is_for_its_role_and_its_gyms() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    service.add_gym("soho", "Europe/London");
    for (place, args) in PEOPLE.into_iter().enumerate() {
        let browser = Browser::of(&service);
        let link = add_user(&service, &format!("person{place}"), args);
        assert_eq!(browser.post(&link, &[]).await.0, 200);
        let csrf = csrf_of(&browser.open("/sessions").await.1).to_owned();
        for form in &FORMS {
            let of_gym = form.path.contains("{gym}");
            for gym in ["mitte", "soho"] {
                let path = form.path.replace("{gym}", gym);
                let sees = gym == "mitte" || place == 3;
                let may = place >= form.first;
                let due = match (may, sees || !of_gym) {
                    (true, true) => vec![form.status],
                    (true, false) => vec![404],
                    (false, true) => vec![403],
                    (false, false) => vec![403, 404],
                };
                let fields = [&[("csrf", &*csrf)], form.fields].concat();
                let (status, page) = browser.post(&path, &fields).await;
                assert!(
                    due.contains(&status),
                    "{args:?} {path} {:?}: {status} {page}",
                    form.fields
                );
                let guessed = [&[("csrf", "guessed")], form.fields].concat();
                assert_eq!(browser.post(&path, &guessed).await.0, 403, "{path}");
                let elsewhere = browser.client.post(format!("{}{path}", browser.root));
                let elsewhere = elsewhere.header("sec-fetch-site", "cross-site").form(&fields);
                assert_eq!(browser.send(elsewhere).await.0, 403, "{path} from another site");
            }
        }
    }
    // Only those made webhooks who may: an admin of the gym, and one of all.
    let webhooks = run_json(service.data(), &["webhook", "list", "--json"]);
    assert_eq!(webhooks.as_array().map(Vec::len), Some(2 + 2 + 1));
}
