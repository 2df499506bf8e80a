//! The frame around every page: head, way around, and who is signed in.

use maud::{DOCTYPE, Markup, html};

use super::assets::TAG;
use super::visitor::{Page, Visitor};
use super::ways::Around;
use super::words::Words;
use crate::store::Gym;

/// Nothing is loaded from elsewhere, nothing is sent there, and nothing in the page itself runs.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
                          img-src 'self'; connect-src 'self'; form-action 'self'; \
                          base-uri 'none'; frame-ancestors 'none'";

/// The same, but anybody may show it in a page of theirs.
pub const EMBEDDED_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
                                   img-src 'self'; connect-src 'self'; base-uri 'none'; \
                                   frame-ancestors *";

/// A page for who is signed in, and may see these gyms.
pub fn whole(visitor: &Visitor, gyms: &[Gym], page: &Page) -> Markup {
    let words = visitor.words;
    let around = Around::of(visitor, gyms, page.place.as_ref());
    html! {
        (DOCTYPE)
        html lang=(words.code) {
            (head(&page.title))
            body {
                a.skip href="#main" { (words.say("frame.skip")) }
                header.top {
                    a.brand href="/" { "footfall" }
                    (around.chosen())
                    (account(visitor))
                }
                (around.groups())
                main #main tabindex="-1" { (around.pages()) h1 { (page.title) } (page.main) }
            }
        }
    }
}

/// Who is signed in, and what that person may want: another language, other sessions, to leave.
fn account(visitor: &Visitor) -> Markup {
    let words = visitor.words;
    html! {
        details.menu.me {
            summary { span.sr { (words.say("frame.account")) ": " } (visitor.access.reader.name) }
            div {
                (languages(words, &visitor.asked))
                a href="/sessions" { (words.say("sessions.title")) }
                form method="post" action="/sign-out" {
                    input type="hidden" name="csrf" value=(visitor.csrf);
                    button { (words.say("frame.sign_out")) }
                }
            }
        }
    }
}

/// A page for who is not signed in.
pub fn bare(words: &Words, title: &str, asked: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(words.code) {
            (head(title))
            body.bare {
                header.top { span.brand { "footfall" } (languages(words, asked)) }
                main #main { h1 { (title) } (main) }
            }
        }
    }
}

/// A page to be shown within another.
pub fn embedded(words: &Words, title: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(words.code) {
            (head(title))
            body.bare { main #main { h1 { (title) } (main) } }
        }
    }
}

fn head(title: &str) -> Markup {
    html! {
        head {
            (about(title))
            script defer src={ "/assets/live.js?" (*TAG) } {}
            script defer src={ "/assets/pictures.js?" (*TAG) } {}
        }
    }
}

/// A script that only some pages need.
pub fn script(file: &str) -> Markup {
    html! { script defer src={ "/assets/" (file) "?" (*TAG) } {} }
}

/// What every page says of itself, and how it looks.
pub fn about(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (title) " · footfall" }
        link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
        link rel="stylesheet" href={ "/assets/style.css?" (*TAG) };
    }
}

fn languages(words: &Words, asked: &str) -> Markup {
    html! {
        span.languages {
            @for other in Words::all().iter().filter(|other| other.code != words.code) {
                a lang=(other.code) hreflang=(other.code)
                    href={ "/language/" (other.code) "?" (to_query(asked)) } {
                    (other.say("format.language"))
                }
            }
        }
    }
}

/// A path of ours as the query that leads back to it.
pub fn to_query(asked: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("next", asked).finish()
}
