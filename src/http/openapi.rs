//! The OpenAPI document, made from the attributes of the handlers and from the types they read and
//! answer. What many routes have in common is said here, once; what one of them does is said at
//! its handler.

#![expect(unused_qualifications, reason = "the derive writes some")]

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::LazyLock;

use serde_json::json;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, Required};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi, PartialSchema, ToSchema};

use super::problem::{Code, ProblemBody};
use super::reports::{Chain, Report, report_words};
use super::{
    deliveries, erasures, events, gyms, health, members, page, quarantine, reports, stream,
};
use crate::domain::event::EARLIEST_AT;
use crate::domain::ids::SLUG_CHARS_MAX;
use crate::intake::egym::TYPE_BYTES_MAX;

const ABOUT: &str = "\
Attendance analytics for gyms. What the numbers mean is in `docs/MODEL.md`, and what an API client \
may rely on in `docs/API.md`.

- Times in answers are RFC 3339 on the gym's own clock, with its offset. Ranges are half-open: \
`from` belongs to the range, `until` does not.
- Fields may be added: pass over those you do not know.
- Every error is `application/problem+json` (RFC 9457); its `code` is for programs. A method that \
a path does not take is answered 405, with `Allow`.
- A gym that the token may not see is answered like one that does not exist.";

#[derive(OpenApi)]
#[openapi(
    info(title = "footfall", description = ABOUT),
    paths(
        deliveries::receive,
        gyms::list,
        gyms::one,
        gyms::occupancy,
        stream::occupancy,
        reports::of_gym,
        reports::chain::of_chain,
        members::absent,
        members::one,
        erasures::of_member,
        erasures::list,
        events::list,
        quarantine::list,
        quarantine::try_again,
        health::healthz,
        health::readyz,
        page::document,
        page::to_page,
        page::page,
    ),
    components(schemas(Report, Chain, members::Absent, ProblemBody)),
    modifiers(&Keys, &PathParameters),
    security(("token" = [])),
    tags(
        (name = "deliveries", description = "What the sender posts."),
        (name = "gyms", description = "Gyms, and who is in them now."),
        (name = "reports", description = "Aggregates over a range. For every role."),
        (name = "members", description = "Personal data. For the role `manager`."),
        (name = "log", description = "The event log and quarantine. For the role `admin`."),
        (name = "service", description = "Health and documentation. Without a token."),
    )
)]
struct Document;

/// The document, as it is served.
pub static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(Document::openapi);

/// The methods that a path takes, as its resource names it, for the header `Allow`.
pub fn methods(path: &str) -> String {
    let path = path.replace(":.*}", "}");
    let Some(item) = DOCUMENT.paths.paths.get(&path) else { return String::new() };
    let methods = [("GET", &item.get), ("POST", &item.post), ("DELETE", &item.delete)];
    let taken = methods.iter().filter(|(_, operation)| operation.is_some());
    taken.map(|(method, _)| *method).collect::<Vec<_>>().join(", ")
}

/// A text that is one of these words.
pub fn one_of(words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

/// One end of a range.
pub fn end_of_range() -> Schema {
    schema(json!({ "oneOf": [
        { "type": "string", "format": "date" },
        { "type": "string", "format": "date-time" },
    ]}))
}

/// What is a sum, over several gyms.
pub fn sums() -> Schema {
    schema(json!({
        "type": "object",
        "description": "What is a sum, over all gyms; which figures these are depends on the report",
        "additionalProperties": true,
    }))
}

/// Buckets over several gyms.
pub fn summed_buckets() -> Schema {
    schema(json!({
        "type": "array",
        "description": "What is a sum, by the local name of the bucket: the same hour on each \
                        gym's clock, so `start` has no offset. Empty for reports without a sum",
        "items": {
            "type": "object",
            "required": ["start", "complete"],
            "properties": {
                "start": { "type": "string", "example": "2026-03-02T18:00:00" },
                "complete": { "type": "boolean" },
            },
            "additionalProperties": true,
        },
    }))
}

fn schema(value: serde_json::Value) -> Schema {
    serde_json::from_value(value).expect("it is a schema")
}

/// A delivery, as a sender writes it.
pub struct Delivery;

impl ToSchema for Delivery {}

impl PartialSchema for Delivery {
    fn schema() -> RefOr<Schema> {
        let account = json!({ "type": "string", "format": "uuid" });
        schema(json!({ "anyOf": [
            {
                "type": "object",
                "required": ["accountId", "timestamp", "type"],
                "properties": {
                    "accountId": account,
                    "timestamp": {
                        "type": "integer", "format": "int64", "minimum": EARLIEST_AT,
                        "description": "Milliseconds since 1970, UTC",
                    },
                    "type": { "type": "string", "minLength": 1, "maxLength": TYPE_BYTES_MAX },
                },
                "example": {
                    "accountId": "6f2c1d3e-0000-4000-8000-000000000001",
                    "timestamp": 1_772_442_000_000_i64,
                    "type": "GYM_CHECKIN",
                },
            },
            {
                "type": "object",
                "required": ["type"],
                "properties": { "type": { "type": "string", "enum": ["TEST"] } },
            },
        ]}))
        .into()
    }
}

/// One of the events of the stream, which is what the schema of a stream is about.
pub struct OccupancyEvent;

impl ToSchema for OccupancyEvent {}

impl PartialSchema for OccupancyEvent {
    fn schema() -> RefOr<Schema> {
        let said = "An `Occupancy`, as JSON on one line";
        schema(json!({
            "type": "object",
            "required": ["event", "data"],
            "properties": {
                "event": one_of(["occupancy"]),
                "data": {
                    "type": "string", "contentMediaType": "application/json", "description": said,
                },
            },
        }))
        .into()
    }
}

/// Declares which problems a kind of route answers.
macro_rules! problems {
    ($($name:ident: $($code:ident)+;)+) => {$(
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                problems(&[$(Code::$code),+])
            }
        }
    )+};
}

problems! {
    DeliveryProblems: Unauthorized BodyTooLarge BodyIncomplete NotJson WrongShape TimeTooEarly
        TimeInFuture StretchFull Unavailable;
    TokenProblems: Unauthorized Unavailable;
    GymProblems: Unauthorized NotFound Unavailable;
    ReportProblems: Unauthorized NotFound BadParameter BadRange TooManyBuckets Unavailable;
    ManagerProblems: Unauthorized Forbidden Unavailable;
    RoleProblems: Unauthorized Forbidden NotFound Unavailable;
    ListProblems: Unauthorized Forbidden NotFound BadParameter Unavailable;
    ReleaseProblems: Unauthorized Forbidden NotFound WrongShape Unavailable;
    HealthProblems: Unavailable;
    PageProblems: NotFound;
}

fn problems(codes: &[Code]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.row().0.as_u16()).or_default().push(*code);
    }
    let answers = by_status.into_iter();
    answers.map(|(status, codes)| (status.to_string(), problem(status, &codes).into())).collect()
}

/// One status: a problem whose `code` is one of these.
fn problem(status: u16, codes: &[Code]) -> Response {
    let lines = codes.iter().map(|code| format!("`{}`: {}", code.row().1, code.row().2));
    let words = codes.iter().map(|code| code.row().1);
    let narrowed = schema(json!({ "allOf": [
        { "$ref": "#/components/schemas/Problem" },
        { "type": "object", "properties": {
            "status": { "type": "integer", "enum": [status] },
            "code": one_of(words),
        }},
    ]}));
    let mut response = ResponseBuilder::new()
        .description(lines.collect::<Vec<_>>().join("; "))
        .content("application/problem+json", Content::new(Some(narrowed)));
    if codes.contains(&Code::Unavailable) {
        response = response.header("retry-after", header(Type::Integer, "Seconds"));
    }
    if codes.contains(&Code::Unauthorized) {
        response = response.header("www-authenticate", header(Type::String, "How to authorize"));
    }
    response.build()
}

/// The words for programs, of the table of problems.
pub fn codes() -> Object {
    one_of(Code::ALL.map(|code| code.row().1))
}

fn header(kind: Type, description: &str) -> Header {
    let mut header = Header::new(Object::with_type(SchemaType::Type(kind)));
    header.description = Some(description.to_owned());
    header
}

/// 200 as JSON or CSV, with the name of its state, or 304.
pub struct JsonOrCsv<T>(PhantomData<T>);

impl<T: ToSchema> IntoResponses for JsonOrCsv<T> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let etag = || header(Type::String, "Names what the answer rests on");
        let json = Content::new(Some(Ref::from_schema_name(T::name())));
        let csv = Content::new(Some(Object::with_type(SchemaType::Type(Type::String))));
        let fresh = ResponseBuilder::new()
            .description("The answer; as CSV, its list under a header row")
            .content("application/json", json)
            .content("text/csv", csv)
            .header("etag", etag());
        let same = ResponseBuilder::new().description("As it was").header("etag", etag());
        BTreeMap::from([
            ("200".to_owned(), fresh.build().into()),
            ("304".to_owned(), same.build().into()),
        ])
    }
}

/// What the reader has already.
pub struct IfNoneMatch;

impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameter = ParameterBuilder::new()
            .name("if-none-match")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some("An `ETag` of an earlier answer: 304 when it still holds"))
            .schema(Some(Object::with_type(SchemaType::Type(Type::String))));
        vec![parameter.build()]
    }
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
            let parts = path.split(['{', '}']).skip(1).step_by(2);
            let parameters: Vec<_> = parts.map(path_parameter).collect();
            item.parameters = (!parameters.is_empty()).then_some(parameters);
            operations(item).for_each(drop_path_parameters);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten()
}

/// Those that were guessed from the handler.
fn drop_path_parameters(operation: &mut Operation) {
    if let Some(parameters) = &mut operation.parameters {
        parameters.retain(|parameter| parameter.parameter_in != ParameterIn::Path);
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
            let uuid = utoipa::openapi::KnownFormat::Uuid;
            let uuid = utoipa::openapi::SchemaFormat::KnownFormat(uuid);
            ("The sender's id of the member", text().format(Some(uuid)).build())
        }
        "id" => ("An id in quarantine", Object::with_type(SchemaType::Type(Type::Integer))),
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
