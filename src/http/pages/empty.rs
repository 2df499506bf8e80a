//! What stands where there is nothing to show yet, and what to do next.

use maud::{Markup, html};

use super::people;
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
                p { a.button href={ "/gyms/" (gym.slug) "/connection" } { (words.say("empty.set_up")) } }
            } @else {
                p.note { (words.say("empty.ask")) }
            }
        }
    }
}

/// Where there is no gym that one may see.
pub fn no_gyms(visitor: &Visitor) -> Markup {
    let words = visitor.words;
    html! {
        section.empty {
            h2 { (words.say("now.no_gyms")) }
            @if people::may_open(&visitor.access) {
                p { (words.say("empty.add_gym")) }
                p { a.button href="/new-gym" { (words.say("new_gym.title")) } }
            } @else {
                p { (words.say("empty.ask_for_gym")) }
            }
        }
    }
}
