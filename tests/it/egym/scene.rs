//! A gym here, its location at EGYM, and somebody who brings them together.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::Operator;
use super::stand_in::StandIn;
use crate::service::{Service, now, run_json};
use crate::tls::authority::{Authority, Term};

pub const KEY: &str = "key-of-mitte";

/// A service over HTTPS, EGYM beside it, and somebody who knows the key.
pub struct Scene {
    pub service: Service,
    pub egym: StandIn,
    pub operator: Operator,
    pub authority: Authority,
}

impl Scene {
    pub fn set() -> Scene {
        let folder = Arc::new(TempDir::new().expect("a temporary folder"));
        let authority = Authority::new();
        let files = authority.issue(folder.path(), "service", Term::Now);
        let mut service = Service::start_with(folder.clone(), "127.0.0.1:0", &files.env());
        service.client = authority.client();
        add_gym(&service, "mitte");
        let root = authority.write_root(folder.path());
        let trusted = std::fs::read(&root).expect("it was written");
        let egym_files = authority.issue(folder.path(), "egym", Term::Now);
        let egym = StandIn::start(&egym_files, &trusted, &[]);
        egym.add_location(KEY, true);
        let env = vec![
            ("FOOTFALL_EGYM_API_KEY", KEY.to_owned()),
            ("FOOTFALL_EGYM_URL", egym.url.clone()),
            ("FOOTFALL_EGYM_ROOT", root.to_str().expect("text").to_owned()),
            ("FOOTFALL_PUBLIC_URL", service.root.clone()),
        ];
        let operator = Operator { data: folder.path().to_owned(), env };
        Scene { service, egym, operator, authority }
    }

    pub fn states(&self) -> Vec<String> {
        let listed = self.operator.ok(&["list", "mitte"]);
        let rows = listed.as_array().expect("a list").iter();
        rows.map(|row| row["state"].as_str().expect("a word").to_owned()).collect()
    }

    pub fn here(&self) -> Vec<Value> {
        let listed = run_json(self.service.data(), &["webhook", "list", "--json"]);
        listed.as_array().expect("a list").clone()
    }

    pub fn at_egym(&self) -> usize {
        self.egym.at(KEY, |location| location.webhooks.len())
    }

    /// What a member does now is delivered, and answered so.
    pub async fn delivers(&self) -> Vec<u16> {
        let before = self.egym.answers().await.len();
        self.egym.happens(
            KEY,
            &json!({
                "accountId": Uuid::new_v4(), "timestamp": now() - 1_000, "type": "GYM_CHECKIN",
            }),
        );
        self.egym.answers().await.split_off(before)
    }
}

pub fn add_gym(service: &Service, slug: &str) {
    let add = ["gym", "add", slug, "--name", slug, "--time-zone", "Europe/Berlin", "--json"];
    run_json(service.data(), &add);
}
