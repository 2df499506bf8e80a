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
pub mod busy;
mod chain;
mod chart;
mod cohorts;
mod fault;
mod form;
mod frame;
mod heat;
mod language;
mod lockout;
mod marks;
mod members;
mod now;
mod people;
mod range;
mod recount;
mod reports;
mod rules;
mod sessions;
mod set_up;
mod sign_in;
mod table;
mod views;
mod visitor;
mod ways;
mod words;

use actix_web::Resource;
use actix_web::middleware::from_fn;
use actix_web::web;

use super::Route;

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
        .service(page("/").route(web::get().to(now::all)))
        .service(page("/reports/{report}").route(web::get().to(chain::one)))
        .service(page("/gyms/{gym}").route(web::get().to(now::one)))
        .service(page("/gyms/{gym}/reports/{report}").route(web::get().to(reports::one)))
        .service(page("/gyms/{gym}/members").route(web::get().to(members::all)))
        .service(page("/gyms/{gym}/members/erased").route(web::get().to(members::erased)))
        .service(page("/gyms/{gym}/members/{account}").route(web::get().to(members::one)))
        .service(page("/gyms/{gym}/members/{account}/erase").route(web::post().to(members::erase)))
        .service(
            page("/gyms/{gym}/annotations")
                .route(web::get().to(annotations::all))
                .route(web::post().to(annotations::change)),
        )
        .service(page("/gyms/{gym}/set-up").route(web::get().to(set_up::one)))
        .service(
            page("/gyms/{gym}/rules")
                .route(web::get().to(rules::one))
                .route(web::post().to(rules::recount)),
        )
        .service(page("/gyms/{gym}/settings").route(web::post().to(rules::set)))
        .service(page("/gyms/{gym}/quarantine").route(web::post().to(set_up::release)))
        .service(page("/busy/{gym}.svg").route(web::get().to(busy::svg)))
        .service(page("/busy/{gym}").route(web::get().to(busy::page)))
        .service(
            page("/people").route(web::get().to(people::all)).route(web::post().to(people::change)),
        )
        .service(page("/language/{code}").route(web::get().to(language::choose)))
        .service(
            page("/sign-in")
                .route(web::get().to(sign_in::form))
                .route(web::post().to(sign_in::with_password)),
        )
        .service(
            page("/sign-in/{link}")
                .route(web::get().to(sign_in::ask))
                .route(web::post().to(sign_in::with_link)),
        )
        .service(page("/sign-out").route(web::post().to(sign_in::out)))
        .service(
            page("/sessions")
                .route(web::get().to(sessions::all))
                .route(web::post().to(sessions::end)),
        )
        .service(page("/password").route(web::post().to(sessions::set_password)))
        .service(page("/assets/{file}").route(web::get().to(assets::file)));
}

fn page(path: &str) -> Resource<impl Route> {
    web::resource(path).wrap(from_fn(fault::as_page))
}
