//! Who may look: people who sign in to the page, and tokens of programs. For an `admin` of all gyms.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::form::Form;
use super::frame;
use super::table::Cell::{self, Text};
use super::table::{Lead, listed};
use super::visitor::{Page, Visitor, answer};
use super::ways::{self, Place};
use super::words::Words;
use crate::actions::readers::{self, LINK_DAYS, TOKEN_PREFIX};
use crate::actions::{self, By};
use crate::clock;
use crate::domain::Millis;
use crate::domain::calendar::local;
use crate::domain::names::NAME_CHARACTERS_MAX;
use crate::http::App;
use crate::http::auth::{Access, Refused};
use crate::http::own_address::root;
use crate::http::problem::{Code, Problem};
use crate::store::{Gym, Reader, Role, Secret, SecretHash, Snapshot, StoreError, Tx};

const USERS: &[(&str, Cell)] = &[("/name", Text), ("/role", Text), ("/gyms", Text)];
const TOKENS: &[(&str, Cell)] =
    &[("/name", Text), ("/role", Text), ("/gyms", Text), ("/used", Text)];

/// Whether somebody may see and change who may look.
pub fn may_open(access: &Access) -> bool {
    access.reader.role == Role::Admin && access.reader.gyms.is_none()
}

pub fn check(access: &Access) -> Result<(), Problem> {
    access.require(Role::Admin)?;
    let some = || {
        let detail = "this needs an admin of all gyms";
        Problem::new(Code::Forbidden, detail).as_message("people.for_all", &[])
    };
    may_open(access).then_some(()).ok_or_else(some)
}

pub async fn all(app: web::Data<App>, visitor: Visitor) -> HttpResponse {
    let page = visitor.show(app, |visitor, snapshot| {
        check(&visitor.access)?;
        let main = html! { (lists(visitor, snapshot)?) (form(visitor, snapshot)?) };
        let title = visitor.words.say("people.title").to_owned();
        Ok(Page { title, place: Some(Place::of_all(ways::PEOPLE)), main })
    });
    page.await
}

fn lists(visitor: &Visitor, snapshot: &Snapshot<'_>) -> Result<Markup, StoreError> {
    let (words, gyms) = (visitor.words, snapshot.gyms()?);
    let used = |at| format!("{} UTC", words.moment(local(chrono_tz::UTC, at)));
    let none = || words.say("report.none").to_owned();
    let users = snapshot.users()?;
    let users: Vec<_> = users.iter().map(|user| row(words, &gyms, &user.reader, None)).collect();
    let tokens = snapshot.tokens()?;
    let tokens = tokens.iter().map(|token| {
        let used = token.last_used_at.map_or_else(none, used);
        row(words, &gyms, &token.reader, Some(&used))
    });
    let tokens: Vec<_> = tokens.collect();
    let button = |what: Do, row: &Value| {
        html! { form method="post" {
            input type="hidden" name="csrf" value=(visitor.csrf);
            input type="hidden" name="name" value=(row["name"].as_str().unwrap_or_default());
            button name="do" value=(what.word()) { (words.say(&format!("people.{}", what.word()))) }
        } }
    };
    let of_users = |row: &Value| html! { (button(Do::Link, row)) (button(Do::RemoveUser, row)) };
    let of_tokens = |row: &Value| button(Do::RemoveToken, row);
    Ok(html! {
        (listed(words, words.say("people.users"), USERS, &users, &Lead::Button(&of_users)))
        (listed(words, words.say("people.tokens"), TOKENS, &tokens, &Lead::Button(&of_tokens)))
    })
}

fn row(words: &Words, gyms: &[Gym], reader: &Reader, used: Option<&str>) -> Value {
    let seen = if reader.gyms.is_some() {
        let seen = gyms.iter().filter(|gym| reader.may_see(gym.id));
        seen.map(|gym| gym.slug.as_str()).collect::<Vec<_>>().join(", ")
    } else {
        words.say("people.all_gyms").to_owned()
    };
    json!({ "name": reader.name, "role": reader.role.name(), "gyms": seen, "used": used })
}

fn form(visitor: &Visitor, snapshot: &Snapshot<'_>) -> Result<Markup, StoreError> {
    let words = visitor.words;
    Ok(html! {
        section {
            h2 { (words.say("people.add")) }
            form method="post" {
                input type="hidden" name="csrf" value=(visitor.csrf);
                div.range {
                    label { (words.say("sign_in.name"))
                        input name="name" maxlength=(NAME_CHARACTERS_MAX) autocomplete="off" required; }
                    label { (words.say("column.role")) select name="role" {
                        @for role in Role::ALL { option value=(role.name()) {
                            (words.say(&format!("people.{}", role.name())))
                        } }
                    } }
                }
                fieldset { legend { (words.say("people.gyms")) }
                    @for gym in snapshot.gyms()? {
                        label.check { input type="checkbox" name="gym" value=(gym.slug);
                            (gym.settings.name) }
                    }
                }
                div.range { @for what in [Do::AddUser, Do::AddToken] {
                    button name="do" value=(what.word()) {
                        (words.say(&format!("people.{}", what.word())))
                    }
                } }
            }
        }
    })
}

/// What a form asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Do {
    AddUser,
    Link,
    RemoveUser,
    AddToken,
    RemoveToken,
}

impl Do {
    pub const ALL: [Do; 5] = [Do::AddUser, Do::Link, Do::RemoveUser, Do::AddToken, Do::RemoveToken];

    pub fn word(self) -> &'static str {
        match self {
            Do::AddUser => "add_user",
            Do::Link => "link",
            Do::RemoveUser => "remove_user",
            Do::AddToken => "add_token",
            Do::RemoveToken => "remove_token",
        }
    }
}

/// What a form holds, in pairs, since a gym may come more than once.
pub struct Asked(Vec<(String, String)>);

impl Asked {
    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn one(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    fn what(&self) -> Result<Do, Problem> {
        let found = Do::ALL.into_iter().find(|what| what.word() == self.one("do"));
        found.ok_or_else(|| Problem::new(Code::BadParameter, "`do` is no word that is known here"))
    }

    /// Who is to be added.
    fn reader(&self, gyms: &[Gym]) -> Result<Reader, Problem> {
        let unknown = || Problem::new(Code::BadParameter, "there is no such role or gym");
        let role = Role::ALL.into_iter().find(|role| role.name() == self.one("role"));
        let ids = self.all("gym").map(|slug| {
            gyms.iter().find(|gym| gym.slug.as_str() == slug).map(|gym| gym.id).ok_or_else(unknown)
        });
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let gyms = (!ids.is_empty()).then_some(ids);
        Ok(readers::reader(self.one("name"), role.ok_or_else(unknown)?, gyms)?)
    }
}

pub async fn change(
    app: web::Data<App>,
    visitor: Visitor,
    request: HttpRequest,
    form: Form<Vec<(String, String)>>,
) -> HttpResponse {
    match try_change(&app, &visitor, Asked(form.0)).await {
        Ok(Some(shown)) => told_once(&app, &visitor, &request, &shown),
        other => visitor.lead(other, "/people"),
    }
}

/// Does what is asked; with what is to be shown once.
async fn try_change(
    app: &web::Data<App>,
    visitor: &Visitor,
    asked: Asked,
) -> Result<Option<Shown>, Problem> {
    visitor.check(asked.one("csrf"))?;
    let (what, now) = (asked.what()?, clock::now());
    let secret = Secret::fresh(if what == Do::AddToken { TOKEN_PREFIX } else { "" });
    let (hash, own) = (secret.hash(), visitor.session.user);
    let changed = visitor.access.write(app, Role::Admin, move |tx, access| {
        check(access)?;
        change_in(tx, access.by(), &asked, what, &hash, own, now).map_err(|refused| match refused {
            Change::Refused(refused) => refused,
            Change::Words(key) => {
                Problem::new(Code::BadParameter, "nothing was changed").as_message(key, &[]).into()
            }
        })
    });
    let name = changed.await?;
    Ok(match what {
        Do::AddUser | Do::Link => Some(Shown::Link(name, secret)),
        Do::AddToken => Some(Shown::Token(name, secret)),
        Do::RemoveUser | Do::RemoveToken => None,
    })
}

/// Why nothing was changed.
enum Change {
    Refused(Refused),
    /// The key of the message that says why.
    Words(&'static str),
}

impl<E: Into<Refused>> From<E> for Change {
    fn from(error: E) -> Change {
        Change::Refused(error.into())
    }
}

/// Changes who may look, and gives the name of whom it is about. `own` is the user who asks.
fn change_in(
    tx: &mut Tx<'_>,
    by: By<'_>,
    asked: &Asked,
    what: Do,
    secret: &SecretHash,
    own: i64,
    now: Millis,
) -> Result<String, Change> {
    let name = asked.one("name");
    let taken = |refused| {
        let is_taken = matches!(refused, actions::Refused::Taken(_));
        if is_taken { Change::Words("people.taken") } else { Change::from(refused) }
    };
    match what {
        Do::AddUser => {
            let reader = asked.reader(&tx.view().gyms()?)?;
            readers::add_user(tx, by, &reader, secret, now).map_err(taken)?;
            Ok(reader.name)
        }
        Do::Link => Ok(readers::renew_link(tx, by, name, secret, now)?.0),
        Do::RemoveUser => {
            if tx.view().user(name)?.is_some_and(|user| user.id == own) {
                return Err(Change::Words("people.yourself"));
            }
            readers::remove_user(tx, by, name)?;
            Ok(name.to_owned())
        }
        Do::AddToken => {
            let reader = asked.reader(&tx.view().gyms()?)?;
            readers::add_token(tx, by, &reader, secret, now).map_err(taken)?;
            Ok(reader.name)
        }
        Do::RemoveToken => {
            readers::remove_token(tx, by, name)?;
            Ok(name.to_owned())
        }
    }
}

/// What is shown this once, and whose it is.
enum Shown {
    Token(String, Secret),
    Link(String, Secret),
}

fn told_once(app: &App, visitor: &Visitor, request: &HttpRequest, shown: &Shown) -> HttpResponse {
    let words = visitor.words;
    let (name, text, says) = match shown {
        Shown::Token(name, token) => (name, token.reveal().to_owned(), "people.token_once"),
        Shown::Link(name, link) => {
            let url = format!("{}{}", root(app, request), readers::link_path(link));
            (name, url, "people.link_once")
        }
    };
    let main = html! {
        section {
            p { (words.fill(says, &[name, &words.whole(LINK_DAYS)])) }
            p { code.secret { (text) } }
            p { a href="/people" { (words.say("people.title")) } }
        }
    };
    let place = Some(Place::of_all(ways::PEOPLE));
    let page = Page { title: words.say("people.title").to_owned(), place, main };
    answer(HttpResponse::Ok(), frame::whole(visitor, &[], &page))
}
