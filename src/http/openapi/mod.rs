//! The OpenAPI document, made from the attributes of the handlers and from the types they read and
//! answer. What many routes have in common is said here, once; what one of them does is said at
//! its handler.

mod answers;
mod shapes;

use std::sync::LazyLock;

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{KnownFormat, Required, SchemaFormat};
use utoipa::{Modify, OpenApi};

use super::problem::ProblemBody;
use super::reports::{Chain, Report, report_words};
use super::{
    annotations, deliveries, erasures, events, gym_changes, gyms, health, members, metrics, page,
    pages, quarantine, readers, reports, stream, webhooks,
};
use crate::domain::ids::SLUG_CHARS_MAX;
pub use answers::{
    ChangeProblems, CursorProblems, DeliveryProblems, GymProblems, HealthProblems, IfNoneMatch,
    JsonOrCsv, ListProblems, ManagerProblems, NamingProblems, OpenGymProblems, PageProblems,
    RangeProblems, ReleaseProblems, ReportProblems, RoleProblems, TokenProblems, WriteProblems,
    codes,
};
pub use shapes::{
    AnnotationKindWord, ComparisonWord, Delivery, EndOfRange, FormatWord, GroupingWord,
    IntervalWord, OccupancyEvent, WindowWord, one_of, summed_buckets, sums,
};

const ABOUT: &str = "\
Attendance analytics for gyms. What the numbers mean is in `docs/MODEL.md`, and what an API client \
may rely on in `docs/API.md`.

- Times in answers are RFC 3339 on the gym's own clock, with its offset. Ranges are half-open: \
`from` belongs to the range, `until` does not.
- Fields may be added: pass over those you do not know.
- Every error is `application/problem+json` (RFC 9457); its `code` is for programs. A method that \
a path does not take is answered 405, with `Allow`.
- `HEAD` is taken wherever `GET` is, and answered by the same headers.
- A gym that the token may not see is answered like one that does not exist.";

#[derive(OpenApi)]
#[openapi(
    info(title = "footfall", description = ABOUT),
    paths(
        deliveries::receive,
        gyms::list,
        gyms::one,
        gyms::occupancy,
        gym_changes::put,
        gym_changes::patch,
        gym_changes::remove,
        webhooks::list,
        webhooks::add,
        webhooks::rotate,
        webhooks::remove,
        readers::tokens,
        readers::add_token,
        readers::remove_token,
        readers::users,
        readers::add_user,
        readers::remove_user,
        stream::occupancy,
        pages::busy::json,
        reports::of_gym,
        reports::chain::of_chain,
        members::absent,
        members::new,
        members::one,
        erasures::of_member,
        erasures::list,
        events::list,
        annotations::list,
        annotations::add,
        annotations::remove,
        quarantine::list,
        quarantine::one,
        quarantine::try_again,
        health::healthz,
        health::readyz,
        metrics::metrics,
        page::document,
        page::to_page,
        page::page,
    ),
    components(schemas(Report, Chain, members::Absent, members::NewMembers, ProblemBody)),
    modifiers(&Keys, &PathParameters),
    security(("token" = [])),
    tags(
        (name = "deliveries", description = "What the sender posts."),
        (name = "gyms", description = "Gyms, and who is in them now."),
        (name = "set-up", description = "Gyms, webhooks and who may look. For the role `admin`."),
        (name = "reports", description = "Aggregates over a range. For every role."),
        (name = "members", description = "Personal data. For the role `manager`."),
        (name = "log", description = "The event log and quarantine. For the role `admin`."),
        (name = "service", description = "Health, metrics and documentation. Without a token."),
    )
)]
struct Document;

/// The document, as it is served.
pub static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(Document::openapi);

/// The methods that a path takes, as its resource names it, for the header `Allow`.
pub fn methods(path: &str) -> String {
    let path = path.replace(":.*}", "}");
    let Some(item) = DOCUMENT.paths.paths.get(&path) else { return String::new() };
    let methods = [
        ("GET", &item.get),
        ("PUT", &item.put),
        ("POST", &item.post),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
    ];
    let taken = methods.iter().filter(|(_, operation)| operation.is_some());
    taken
        .map(|(method, _)| if *method == "GET" { "GET, HEAD" } else { *method })
        .collect::<Vec<_>>()
        .join(", ")
}

/// What opens doors: tokens for readers, secrets for senders.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("`footfall token add` makes one"));
        let secret = ApiKeyValue::with_description("x-api-key", "The webhook's secret");
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token.build()));
        components.add_security_scheme("secret", SecurityScheme::ApiKey(ApiKey::Header(secret)));
    }
}

/// What stands in a path means the same everywhere.
struct PathParameters;

impl Modify for PathParameters {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let names: Vec<_> = path.split(['{', '}']).skip(1).step_by(2).collect();
            let operations =
                [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                let others = operation.parameters.take().unwrap_or_default();
                // utoipa finds those of the path too, but knows no more of them than their names.
                let others = others.into_iter().filter(|one| one.parameter_in != ParameterIn::Path);
                let all = names.iter().map(|name| path_parameter(name)).chain(others);
                operation.parameters = Some(all.collect());
            }
        }
    }
}

fn path_parameter(name: &str) -> Parameter {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let (description, schema) = match name {
        "webhook" => ("The id that `footfall webhook add` printed", text().build()),
        "gym" => {
            let inner = SLUG_CHARS_MAX - 2;
            let pattern = format!("^[a-z0-9]([a-z0-9-]{{0,{inner}}}[a-z0-9])?$");
            ("The gym's slug", text().pattern(Some(pattern)).build())
        }
        "report" => ("Which report", report_words()),
        "account" => {
            let uuid = SchemaFormat::KnownFormat(KnownFormat::Uuid);
            ("The sender's id of the member", text().format(Some(uuid)).build())
        }
        "id" => (
            "An id, as the list of what there is names it",
            Object::with_type(SchemaType::Type(Type::Integer)),
        ),
        "name" => ("A name, as the list of what there is names it", text().build()),
        "file" => ("A file's name", text().build()),
        other => panic!("say what {{{other}}} stands for"),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}
