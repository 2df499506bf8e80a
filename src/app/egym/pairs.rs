//! What EGYM has beside what is here.

use anyhow::bail;
use serde::Serialize;

use super::{Desk, ListArgs, Obstacle};
use crate::actions::webhooks::path_of;
use crate::app::output;
use crate::clock;
use crate::domain::ids::Slug;
use crate::egym::Registered;
use crate::store::Webhook;

/// What is said of a webhook that is the same at both sides, and of those that are not.
pub const REGISTERED: &str = "registered";
pub const NOT_AT_EGYM: &str = "not at EGYM";
pub const NOT_HERE: &str = "not here";
pub const BELONGS: &str = "belongs to gym";

/// A webhook here, at EGYM, or at both.
pub struct Pair {
    pub ours: Option<Webhook>,
    pub theirs: Option<Registered>,
    /// The gym here that has it, when it is another one than was asked about.
    stranger: Option<Slug>,
}

#[derive(Serialize)]
struct Row {
    webhook: Option<String>,
    egym_id: Option<i64>,
    url: String,
    /// Whether all is well, and if not, what to do.
    state: String,
    last_delivery_at: Option<String>,
    last_test_at: Option<String>,
}

impl Pair {
    /// By its id here or at EGYM.
    pub fn is_called(&self, name: &str) -> bool {
        self.ours.as_ref().is_some_and(|ours| ours.public_id == name)
            || self.theirs.as_ref().is_some_and(|theirs| theirs.id.to_string() == name)
    }

    pub fn is_at_both(&self) -> bool {
        self.ours.is_some() && self.theirs.is_some()
    }

    /// Whether something was begun with ours at EGYM, and not seen to end.
    pub fn is_begun(&self) -> bool {
        self.ours.as_ref().is_some_and(|ours| ours.begun.is_some())
    }

    /// In a word: what is the difference between the two sides.
    fn state(&self, desk: &Desk<'_>) -> String {
        if let Some(gym) = &self.stranger {
            return format!("{BELONGS} {gym}");
        }
        let (ours, theirs) = match (&self.ours, &self.theirs) {
            (Some(ours), Some(theirs)) => (ours, theirs),
            (Some(_), None) => return NOT_AT_EGYM.to_owned(),
            (None, _) => return NOT_HERE.to_owned(),
        };
        let secret = theirs.secret.as_bytes();
        let word = if theirs.url != desk.url_of(&ours.public_id) {
            "EGYM has another URL"
        } else if ours.secret.matches(secret) {
            REGISTERED
        } else if ours.old_secret_at(clock::now()).is_some_and(|old| old.hash.matches(secret)) {
            "EGYM has the old secret"
        } else {
            "EGYM has another secret"
        };
        word.to_owned()
    }
}

/// All webhooks of the gym, and all that EGYM has for its location. They belong together by their
/// path, so that one is recognised when footfall has moved to another host.
async fn all(desk: &Desk<'_>) -> anyhow::Result<Vec<Pair>> {
    let mut theirs = desk.api.webhooks().await?;
    let known = desk.database.read(|snapshot| snapshot.webhooks(None))?;
    let (own, others): (Vec<_>, Vec<_>) =
        known.into_iter().partition(|webhook| webhook.gym == desk.gym.id);
    let mut pairs = Vec::new();
    for ours in own {
        let theirs = take(desk, &mut theirs, &ours);
        pairs.push(Pair { ours: Some(ours), theirs, stranger: None });
    }
    for other in others {
        if let Some(theirs) = take(desk, &mut theirs, &other) {
            pairs.push(Pair { ours: None, theirs: Some(theirs), stranger: Some(other.slug) });
        }
    }
    let unknown = theirs.into_iter();
    pairs.extend(unknown.map(|one| Pair { ours: None, theirs: Some(one), stranger: None }));
    Ok(pairs)
}

/// What EGYM has of a webhook here: at its URL, or else at another host.
fn take(desk: &Desk<'_>, theirs: &mut Vec<Registered>, ours: &Webhook) -> Option<Registered> {
    let (url, path) = (desk.url_of(&ours.public_id), path_of(&ours.public_id));
    let exact = theirs.iter().position(|theirs| theirs.url == url);
    let place = exact.or_else(|| theirs.iter().position(|theirs| theirs.url.ends_with(&path)));
    place.map(|place| theirs.swap_remove(place))
}

/// The same, for who changes something: nothing is done with the key of another gym.
pub async fn own(desk: &Desk<'_>) -> anyhow::Result<Vec<Pair>> {
    let pairs = all(desk).await?;
    if let Some(theirs) = pairs.iter().find_map(|pair| pair.stranger.clone()) {
        bail!(Obstacle::KeyOf { theirs, ours: desk.gym.slug.clone() });
    }
    Ok(pairs)
}

/// All of them: by which name each is called, and its state.
pub async fn states(desk: &Desk<'_>) -> anyhow::Result<Vec<(String, String)>> {
    let pairs = all(desk).await?;
    let named = pairs.iter().map(|pair| {
        let theirs = pair.theirs.as_ref().map(|theirs| theirs.id.to_string());
        let ours = pair.ours.as_ref().map(|ours| ours.public_id.clone());
        (ours.or(theirs).unwrap_or_default(), pair.state(desk))
    });
    Ok(named.collect())
}

pub async fn list(desk: &Desk<'_>, args: &ListArgs) -> anyhow::Result<()> {
    let rows: Vec<_> = all(desk).await?.iter().map(|pair| row(desk, pair)).collect();
    output::show(args.json, &rows, || {
        let cells = rows.iter().map(|row| {
            let or = |text: &Option<String>, none: &str| text.clone().unwrap_or(none.to_owned());
            vec![
                or(&row.webhook, "-"),
                or(&row.egym_id.map(|id| id.to_string()), "-"),
                row.state.clone(),
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
