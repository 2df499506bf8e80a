//! EGYM's API key typed into the page: the same as `footfall egym register`, for who may.

use reqwest::Client;

use super::scene::{KEY, Scene};
use crate::http::page::{add_user, csrf_of};
use crate::patience::Patience;
use crate::service::Service;
use crate::tls::authority::{Term, trusting};

/// A scene whose service knows its address and EGYM's, and somebody who is signed in to its page.
struct Desk {
    scene: Scene,
    client: Client,
}

impl Desk {
    async fn set(role: &str) -> Desk {
        let Scene { service, egym, operator, authority } = Scene::set();
        let (folder, root) = (service.folder.clone(), service.root.clone());
        let address = root.strip_prefix("https://").expect("over HTTPS").to_owned();
        assert!(service.stop());
        let files = authority.issue(folder.path(), "again", Term::Now);
        let own = operator.env.iter().filter(|(name, _)| !name.ends_with("_KEY"));
        let own: Vec<_> = own.map(|(name, value)| (*name, &**value)).collect();
        let env = [&files.env()[..], &own].concat();
        let mut service = Service::start_with(folder.clone(), &address, &env);
        service.client = authority.client();
        let trusted = std::fs::read(authority.write_root(folder.path())).expect("it was written");
        let client = trusting(&trusted).cookie_store(true).build().expect("a client");
        let link = add_user(&service, "ann", &["--role", role, "--gym", "mitte"]);
        let signed_in = client.post(format!("{}{link}", service.root)).send().await;
        assert!(signed_in.expect("an answer").status().is_success());
        Desk { scene: Scene { service, egym, operator, authority }, client }
    }

    async fn get(&self, path: &str) -> String {
        let answer = self.client.get(format!("{}{path}", self.scene.service.root)).send().await;
        answer.expect("an answer").text().await.expect("text")
    }

    async fn register(&self, key: &str) -> (u16, String) {
        let csrf = csrf_of(&self.get("/sessions").await).to_owned();
        let url = format!("{}/gyms/mitte/connection", self.scene.service.root);
        let sent = self.client.post(url).form(&[("csrf", &*csrf), ("key", key)]).send().await;
        let answer = sent.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_registers_and_the_page_sees_the_test_and_the_member() {
    let desk = Desk::set("admin").await;
    assert!(desk.get("/gyms/mitte/connection").await.contains("name=\"key\""));
    let (status, page) = desk.register(KEY).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!((desk.scene.at_egym(), desk.scene.here().len()), (1, 1));
    let patience = Patience::until("the page sees the TEST");
    while !desk.get("/gyms/mitte/connection").await.contains("Waiting for the first check-in") {
        patience.again().await;
    }
    assert_eq!(desk.scene.states(), ["registered"]);
    assert_eq!(desk.scene.delivers().await, [200]);
    assert!(desk.get("/gyms/mitte/connection").await.contains("<strong data-count>1</strong>"));
    // The key is in no file, and neither is the secret that nobody was shown.
    let secret = desk.scene.egym.at(KEY, |location| location.webhooks[0].secret.clone());
    for entry in std::fs::read_dir(desk.scene.service.data()).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let bytes = if path.is_file() { std::fs::read(&path).expect("bytes") } else { vec![] };
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(KEY) && !text.contains(&secret), "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_does_not_fit_says_why_and_leaves_nothing_behind() {
    let desk = Desk::set("admin").await;
    desk.scene.egym.add_location("may-not", false);
    for (key, says) in [
        ("may-not", "may not manage webhooks"),
        ("unknown", "does not know this API key"),
        ("", "does not know this API key"),
        ("not a key", "does not know this API key"),
    ] {
        let (status, page) = desk.register(key).await;
        assert_eq!(status, 409, "{key}: {page}");
        assert!(page.contains(says), "{key}: {page}");
        assert!(desk.scene.here().is_empty(), "{key}");
    }
    // What is half done is taken up, and not begun a second time.
    desk.scene.egym.at(KEY, |location| location.calls_lost = 1);
    let lost = desk.register(KEY).await;
    assert_eq!(lost.0, 409, "{}", lost.1);
    let (status, page) = desk.register(KEY).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!((desk.scene.at_egym(), desk.scene.here().len()), (1, 1));
    // A key of another gym changes nothing here.
    super::scene::add_gym(&desk.scene.service, "soho");
    let mut operator = desk.scene.operator.with_key("other");
    operator.env.push(("FOOTFALL_EGYM_API_KEY", "other".to_owned()));
    desk.scene.egym.add_location("other", true);
    operator.ok(&["register", "soho"]);
    let (status, page) = desk.register("other").await;
    assert_eq!(status, 409, "{page}");
    assert!(page.contains("belongs to the gym soho"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_no_admin_asks_nothing_of_egym() {
    let desk = Desk::set("manager").await;
    assert_eq!(desk.register(KEY).await.0, 403);
    assert_eq!((desk.scene.at_egym(), desk.scene.here().len()), (0, 0));
}
