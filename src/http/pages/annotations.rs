//! Annotations of a gym's days: shown on every report, written by managers.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::form::Form;
use super::range::day;
use super::table::Cell::{self, Text};
use super::table::{Lead, listed};
use super::visitor::{Page, Visitor};
use super::ways::{self, Place};
use super::words::Words;
use crate::clock;
use crate::domain::annotation::{
    ANNOTATION_CHARACTERS_MAX, Annotation, AnnotationKind, BadAnnotation,
};
use crate::domain::calendar::day_of;
use crate::http::App;
use crate::http::problem::{Code, Problem};
use crate::store::{Gym, Role};

const COLUMNS: &[(&str, Cell)] = &[("/days", Text), ("/kind", Text), ("/text", Text)];

/// A gym's annotations, and for managers the way to write one.
pub async fn all(app: web::Data<App>, visitor: Visitor, slug: web::Path<String>) -> HttpResponse {
    let page = visitor.show(app, move |visitor, snapshot| {
        let gym = visitor.access.gym(snapshot, &slug)?;
        let words = visitor.words;
        let found = snapshot.all_annotations(gym.id)?;
        let main = html! {
            p.note { (words.say("annotations.note")) }
            @if visitor.access.require(Role::Manager).is_ok() { (form(visitor, &gym)) }
            (list(visitor, &found))
        };
        let title = format!("{} – {}", gym.settings.name, words.say("annotations.title"));
        Ok(Page { title, place: Some(Place::of(&gym, ways::ANNOTATIONS)), main })
    });
    page.await
}

fn list(visitor: &Visitor, found: &[(i64, Annotation)]) -> Markup {
    let words = visitor.words;
    let rows = found.iter().rev().map(|(id, note)| {
        let kind = words.say(&format!("annotations.{}", note.kind.name())).to_owned();
        json!({ "id": id, "days": days_shown(words, note), "kind": kind, "text": note.text })
    });
    let button = |row: &Value| {
        html! { form method="post" {
            input type="hidden" name="csrf" value=(visitor.csrf);
            button name="remove" value=(row["id"]) { (words.say("annotations.remove")) }
        } }
    };
    let may_write = visitor.access.require(Role::Manager).is_ok();
    let lead = if may_write { Lead::Button(&button) } else { Lead::Nowhere };
    listed(words, words.say("annotations.title"), COLUMNS, &rows.collect::<Vec<_>>(), &lead)
}

fn form(visitor: &Visitor, gym: &Gym) -> Markup {
    let words = visitor.words;
    let today = day_of(gym.settings.zone, clock::now()).date();
    html! {
        form.range method="post" {
            input type="hidden" name="csrf" value=(visitor.csrf);
            label { (words.say("range.from")) input type="date" name="from" value=(today) required; }
            label { (words.say("range.to")) input type="date" name="to" value=(today) required; }
            label { (words.say("column.kind")) select name="kind" {
                @for kind in AnnotationKind::ALL {
                    option value=(kind.name()) { (words.say(&format!("annotations.{}", kind.name()))) }
                }
            } }
            label { (words.say("column.text"))
                input name="text" maxlength=(ANNOTATION_CHARACTERS_MAX) required; }
            label.check { input type="checkbox" name="yearly" value="yes";
                (words.say("annotations.yearly")) }
            label.check { input type="checkbox" name="everywhere" value="yes";
                (words.say("annotations.everywhere")) }
            button { (words.say("annotations.add")) }
        }
    }
}

/// The days of an annotation, as people write them.
pub fn days_shown(words: &Words, note: &Annotation) -> String {
    let [first, last] = [note.first, note.last].map(|day| words.date(day.date()));
    let days = if first == last { first } else { format!("{first} – {last}") };
    if note.yearly { words.fill("annotations.each_year", &[&days]) } else { days }
}

#[derive(Deserialize)]
pub struct Change {
    csrf: String,
    /// The annotation to remove; else one is added.
    remove: Option<i64>,
    from: Option<String>,
    to: Option<String>,
    kind: Option<String>,
    text: Option<String>,
    /// Given: on the same dates of every later year too.
    yearly: Option<String>,
    /// Given: at all gyms that the writer may see.
    everywhere: Option<String>,
}

impl Change {
    fn annotation(&self) -> Result<Annotation, Problem> {
        let end = |name, given: &Option<String>| day(name, given.as_deref().unwrap_or_default());
        let (first, last) = (end("from", &self.from)?, end("to", &self.to)?);
        let kind = AnnotationKind::from_name(self.kind.as_deref().unwrap_or_default());
        let kind = kind.ok_or_else(|| Problem::new(Code::BadParameter, "there is no such kind"))?;
        let text = self.text.as_deref().unwrap_or_default();
        let annotation = Annotation::new((first, last), kind, self.yearly.is_some(), text);
        annotation.map_err(|bad| {
            let key = match bad {
                BadAnnotation::OutOfRange => "range.no_day",
                BadAnnotation::Backwards => "range.turned",
                BadAnnotation::TooLong => "annotations.too_long",
                BadAnnotation::Text(_) => "annotations.bad_text",
                BadAnnotation::NamesAnAccount => "annotations.names_an_account",
            };
            Problem::new(Code::BadParameter, bad.to_string()).as_message(key, &[])
        })
    }
}

/// Adds an annotation, or removes one. For the role `manager`.
pub async fn change(
    app: web::Data<App>,
    visitor: Visitor,
    slug: web::Path<String>,
    form: Form<Change>,
) -> HttpResponse {
    let changed = try_change(&app, &visitor, &slug, &form).await;
    visitor.lead(changed, &format!("/gyms/{slug}/annotations"))
}

async fn try_change(
    app: &web::Data<App>,
    visitor: &Visitor,
    slug: &str,
    form: &Change,
) -> Result<(), Problem> {
    visitor.check(&form.csrf)?;
    let (access, slug) = (&visitor.access, slug.to_owned());
    if let Some(id) = form.remove {
        let removed = access.write(app, Role::Manager, move |tx, access| {
            let gym = access.gym(&tx.view(), &slug)?.id;
            Ok(tx.remove_annotation(gym, id)?)
        });
        return removed.await.map(drop);
    }
    let annotation = form.annotation()?;
    let (everywhere, now) = (form.everywhere.is_some(), clock::now());
    let added = access.write(app, Role::Manager, move |tx, access| {
        let gym = access.gym(&tx.view(), &slug)?;
        let gyms = if everywhere { access.gyms(&tx.view())? } else { vec![gym] };
        // Everywhere or nowhere: who tries again must not say it twice.
        for gym in &gyms {
            if tx.view().is_full_of_annotations(gym.id)? {
                return Ok(false);
            }
        }
        for gym in &gyms {
            tx.add_annotation(gym.id, &annotation, now)?;
        }
        Ok(true)
    });
    let full =
        || Problem::new(Code::BadParameter, "a gym is full").as_message("annotations.full", &[]);
    added.await?.then_some(()).ok_or_else(full)
}
