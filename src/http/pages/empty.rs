//! What stands where there is nothing to show yet, and what to do next.

use maud::{Markup, html};

use super::visitor::Visitor;
use crate::store::{Gym, Role};

/// Of a gym that has never sent an event.
pub fn nothing_yet(visitor: &Visitor, gym: &Gym) -> Markup {
    let words = visitor.words;
    html! {
        section.empty {
            h2 { (words.say("empty.title")) }
            p { (words.say("empty.connect")) }
            @if visitor.access.require(Role::Admin).is_ok() {
                p { a href={ "/gyms/" (gym.slug) "/set-up" } { (words.say("empty.set_up")) } }
            } @else {
                p.note { (words.say("empty.ask")) }
            }
        }
    }
}
