//! Answers that many routes give: problems, and reports that may be the same as before.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde_json::json;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{Object, SchemaType, Type};
use utoipa::openapi::{Content, Ref, RefOr, Required};
use utoipa::{IntoParams, IntoResponses, ToSchema};

use super::shapes::{one_of, schema};
use crate::http::problem::Code;

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
        TimeInFuture StretchFull BeyondRetention Unavailable;
    TokenProblems: Unauthorized Unavailable;
    GymProblems: Unauthorized NotFound Unavailable;
    RangeProblems: Unauthorized NotFound BadParameter BadRange Unavailable;
    ReportProblems: Unauthorized NotFound BadParameter BadRange TooManyBuckets Unavailable;
    ManagerProblems: Unauthorized Forbidden BadParameter Unavailable;
    RoleProblems: Unauthorized Forbidden NotFound Unavailable;
    ListProblems: Unauthorized Forbidden NotFound BadParameter Unavailable;
    CursorProblems: Unauthorized Forbidden NotFound BadParameter StaleCursor Unavailable;
    WriteProblems: Unauthorized Forbidden NotFound BodyTooLarge BodyIncomplete NotJson BadParameter
        Unavailable;
    NamingProblems: Unauthorized Forbidden NotFound BodyTooLarge BodyIncomplete NotJson BadParameter
        NameTaken Conflict Unavailable;
    ChangeProblems: Unauthorized Forbidden NotFound BadParameter Conflict Unavailable;
    ReleaseProblems: Unauthorized Forbidden NotFound WrongShape Unavailable;
    HealthProblems: Unavailable;
    OpenGymProblems: NotFound Unavailable;
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
