//! The page a manager looks at: HTML made on the server, from the same answers as the API's. It
//! counts nothing itself. Everything it loads is in the binary.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "what is drawn and written here is far below 2^52, and where it counts not negative"
)]

mod annotations;
mod assets;
mod begun;
pub mod busy;
mod chain;
mod chart;
mod cohorts;
mod connect;
mod connection;
mod empty;
mod fault;
mod figures;
mod first_admin;
mod form;
mod frame;
mod heat;
mod language;
mod leave;
mod lockout;
mod marks;
mod members;
mod new_gym;
mod now;
mod overview;
mod people;
mod picker;
mod range;
mod recount;
mod reports;
mod rules;
mod sessions;
mod set_up;
mod settings;
mod sign_in;
mod spark;
#[cfg(test)]
mod spoken;
mod table;
mod views;
mod visitor;
mod wall;
mod ways;
mod webhooks;
mod words;

use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, Resource, Responder, web};

pub use fault::for_people;
pub use words::Words;

use super::{Route, wrong_method};

/// What pages remember of one request for another, in memory.
#[derive(Default)]
pub struct State {
    /// Who failed to sign in.
    lockout: lockout::Lockout,
    /// How many were where everybody may know it.
    busy: busy::Cache,
    /// What came of counting by other rules.
    pub(super) recounts: recount::Recounts,
}

/// Where each page is.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(page("/", [get(overview::all)]))
        .service(page("/wall", [get(wall::all)]))
        .service(page("/reports/{report}", [get(chain::one)]))
        .service(page("/gyms/{gym}", [get(now::one)]))
        .service(page("/gyms/{gym}/reports/{report}", [get(reports::one)]))
        .service(page("/gyms/{gym}/members", [get(members::all)]))
        .service(page("/gyms/{gym}/members/erased", [get(members::erased)]))
        .service(page("/gyms/{gym}/members/{account}", [get(members::one)]))
        .service(page("/gyms/{gym}/members/{account}/erase", [post(members::erase)]))
        .service(page(
            "/gyms/{gym}/annotations",
            [get(annotations::all), post(annotations::change)],
        ))
        .service(page("/gyms/{gym}/set-up", [get(set_up::one)]))
        .service(page("/gyms/{gym}/connection", [get(connection::one), post(connection::begin)]))
        .service(page("/gyms/{gym}/rules", [get(rules::one), post(rules::recount)]))
        .service(page("/gyms/{gym}/settings", [get(settings::one), post(settings::set)]))
        .service(page("/gyms/{gym}/leave", [get(leave::one), post(leave::change)]))
        .service(page("/gyms/{gym}/webhooks", [post(webhooks::change)]))
        .service(page("/gyms/{gym}/quarantine", [post(set_up::release)]))
        .service(page("/busy/{gym}.svg", [get(busy::svg)]))
        .service(page("/busy/{gym}", [get(busy::page)]))
        .service(page("/new-gym", [get(new_gym::form), post(new_gym::add)]))
        .service(page("/first-admin", [get(first_admin::form), post(first_admin::make)]))
        .service(page("/people", [get(people::all), post(people::change)]))
        .service(page("/language/{code}", [get(language::choose)]))
        .service(page("/sign-in", [get(sign_in::form), post(sign_in::with_password)]))
        .service(page("/sign-in/{link}", [get(sign_in::ask), post(sign_in::with_link)]))
        .service(page("/sign-out", [post(sign_in::out)]))
        .service(page("/sessions", [get(sessions::all), post(sessions::end)]))
        .service(page("/password", [post(sessions::set_password)]))
        .service(page("/assets/{file}", [get(assets::file)]))
        .service(page("/favicon.ico", [get(assets::favicon)]));
}

/// A page, by what it takes; what it does not take is a problem that says what it does.
fn page(
    path: &str,
    taken: impl IntoIterator<Item = (&'static str, actix_web::Route)>,
) -> Resource<impl Route> {
    let (methods, routes): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
    let methods = methods.join(", ");
    let resource = routes.into_iter().fold(web::resource(path), Resource::route);
    let refuse = move || {
        let answer = wrong_method(&methods);
        async { answer }
    };
    resource.default_service(web::to(refuse)).wrap(from_fn(fault::as_page))
}

fn get<A: FromRequest + 'static>(
    handler: impl Handler<A, Output: Responder + 'static>,
) -> (&'static str, actix_web::Route) {
    ("GET, HEAD", web::get().to(handler))
}

fn post<A: FromRequest + 'static>(
    handler: impl Handler<A, Output: Responder + 'static>,
) -> (&'static str, actix_web::Route) {
    ("POST", web::post().to(handler))
}
