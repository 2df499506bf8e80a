//! What EGYM has beside what is here.

use serde::Serialize;

use super::{Desk, ListArgs, path_of};
use crate::app::output;
use crate::clock;
use crate::egym::Registered;
use crate::store::Webhook;

/// A webhook here, at EGYM, or at both.
pub struct Pair {
    pub ours: Option<Webhook>,
    pub theirs: Option<Registered>,
}

#[derive(Serialize)]
struct Row {
    webhook: Option<String>,
    egym_id: Option<i64>,
    url: String,
    /// Whether all is well, and if not, what to do.
    state: &'static str,
    last_delivery_at: Option<String>,
    last_test_at: Option<String>,
}

impl Pair {
    /// By its id here or at EGYM.
    pub fn is_called(&self, name: &str) -> bool {
        self.ours.as_ref().is_some_and(|ours| ours.public_id == name)
            || self.theirs.as_ref().is_some_and(|theirs| theirs.id.to_string() == name)
    }

    /// In a word: what is the difference between the two sides.
    fn state(&self, desk: &Desk<'_>) -> &'static str {
        let (ours, theirs) = match (&self.ours, &self.theirs) {
            (Some(ours), Some(theirs)) => (ours, theirs),
            (Some(_), None) => return "not at EGYM",
            (None, _) => return "not here",
        };
        let secret = theirs.secret.as_bytes();
        if theirs.url != desk.url_of(&ours.public_id) {
            "EGYM has another URL"
        } else if ours.secret.matches(secret) {
            "registered"
        } else if ours.old_secret_at(clock::now()).is_some_and(|old| old.hash.matches(secret)) {
            "EGYM has the old secret"
        } else {
            "EGYM has another secret"
        }
    }
}

/// All webhooks of the gym, and all that EGYM has for its location. They belong together by their
/// path, so that one is recognised when footfall has moved to another host.
pub async fn all(desk: &Desk<'_>) -> anyhow::Result<Vec<Pair>> {
    let mut theirs = desk.api.webhooks().await?;
    let ours = desk.database.read(|snapshot| snapshot.webhooks(Some(desk.gym.id)))?;
    let mut pairs = Vec::new();
    for ours in ours {
        let path = path_of(&ours.public_id);
        let place = theirs.iter().position(|theirs| theirs.url.ends_with(&path));
        let theirs = place.map(|place| theirs.swap_remove(place));
        pairs.push(Pair { ours: Some(ours), theirs });
    }
    pairs.extend(theirs.into_iter().map(|theirs| Pair { ours: None, theirs: Some(theirs) }));
    Ok(pairs)
}

pub async fn list(desk: &Desk<'_>, args: &ListArgs) -> anyhow::Result<()> {
    let rows: Vec<_> = all(desk).await?.iter().map(|pair| row(desk, pair)).collect();
    output::show(args.json, &rows, || {
        let cells = rows.iter().map(|row| {
            let or = |text: &Option<String>, none: &str| text.clone().unwrap_or(none.to_owned());
            vec![
                or(&row.webhook, "-"),
                or(&row.egym_id.map(|id| id.to_string()), "-"),
                row.state.to_owned(),
                or(&row.last_delivery_at, "never"),
                or(&row.last_test_at, "never"),
                row.url.clone(),
            ]
        });
        let header = ["WEBHOOK", "AT EGYM", "STATE", "LAST DELIVERY", "LAST TEST", "URL"];
        output::table(&header, &cells.collect::<Vec<_>>())
    });
    Ok(())
}

fn row(desk: &Desk<'_>, pair: &Pair) -> Row {
    let ours = pair.ours.as_ref();
    let theirs = pair.theirs.as_ref();
    let url = theirs.map(|theirs| theirs.url.clone());
    Row {
        state: pair.state(desk),
        webhook: ours.map(|ours| ours.public_id.clone()),
        egym_id: theirs.map(|theirs| theirs.id),
        url: url.or(ours.map(|ours| desk.url_of(&ours.public_id))).unwrap_or_default(),
        last_delivery_at: ours.and_then(|ours| ours.last_delivery_at).map(output::utc),
        last_test_at: ours.and_then(|ours| ours.last_test_at).map(output::utc),
    }
}
