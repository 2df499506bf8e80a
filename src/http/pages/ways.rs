//! The ways around a gym: its pages, and the same page of another gym.

use maud::{Markup, html};

use super::views::VIEWS;
use super::visitor::Visitor;
use crate::http::problem::Problem;
use crate::store::{Gym, Role, Snapshot};

/// The names of a gym's pages beside its reports; none is a report's.
pub const ANNOTATIONS: &str = "annotations";
pub const MEMBERS: &str = "member-lists";
pub const SET_UP: &str = "set-up";

/// The ways from a page of a gym; `here` is its name, empty for Now.
pub fn ways(
    visitor: &Visitor,
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    here: &str,
) -> Result<Markup, Problem> {
    let words = visitor.words;
    let way = |name: &str, path: &str, key: &str| {
        html! {
            a href={ "/gyms/" (gym.slug) (path) } aria-current=[(here == name).then_some("page")] {
                (words.say(key))
            }
        }
    };
    let may = |role| visitor.access.require(role).is_ok();
    Ok(html! {
        (others(visitor, snapshot, gym)?)
        nav.ways aria-label=(gym.settings.name) {
            (way("", "", "frame.now"))
            @for view in &VIEWS {
                (way(view.name, &format!("/reports/{}", view.name), &format!("report.{}", view.name)))
            }
            (way(ANNOTATIONS, "/annotations", "annotations.title"))
            @if may(Role::Manager) { (way(MEMBERS, "/members", "members.title")) }
            @if may(Role::Admin) { (way(SET_UP, "/set-up", "set_up.title")) }
        }
    })
}

/// The same page, of the same range, of each other gym.
fn others(visitor: &Visitor, snapshot: &Snapshot<'_>, gym: &Gym) -> Result<Markup, Problem> {
    let mut others = visitor.access.gyms(snapshot)?;
    others.retain(|other| other.id != gym.id);
    let page = visitor.asked.strip_prefix(&format!("/gyms/{}", gym.slug)).unwrap_or_default();
    // A member belongs to one gym.
    let page = if page.starts_with("/members/") { "/members" } else { page };
    let (closed, open): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|other| other.archived_at.is_some());
    let list = |gyms: &[Gym], key: &str| {
        html! { @if !gyms.is_empty() {
            details.others { summary { (visitor.words.say(key)) }
                ul { @for other in gyms {
                    li { a href={ "/gyms/" (other.slug) (page) } { (other.settings.name) } }
                } }
            }
        } }
    };
    Ok(html! {
        (list(&open, "frame.other_gym"))
        (list(&closed, "frame.archived_gym"))
    })
}
