//! Schemas that no type of ours has: texts of few words, what senders post, and sums whose fields
//! depend on the report.

use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::event::EARLIEST_AT;
use crate::http::annotations::annotation_kind_words;
use crate::http::answer::format_words;
use crate::http::reports::{comparison_words, grouping_words, interval_words, window_words};
use crate::intake::egym::TYPE_BYTES_MAX;

/// A text that is one of these words.
pub fn one_of(words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

/// Declares types that are only names of a schema.
macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident: $schema:expr;)+) => {$(
        $(#[$doc])*
        pub struct $name;

        impl ToSchema for $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                Schema::from($schema).into()
            }
        }
    )+};
}

shapes! {
    /// One end of a range.
    EndOfRange: end_of_range();
    IntervalWord: interval_words();
    GroupingWord: grouping_words();
    WindowWord: window_words();
    ComparisonWord: comparison_words();
    FormatWord: format_words();
    AnnotationKindWord: annotation_kind_words();
    /// What a sender posts.
    Delivery: delivery();
    /// One of the events of the stream, which is what the schema of a stream is about.
    OccupancyEvent: occupancy_event();
}

fn end_of_range() -> Schema {
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
                "closed": { "type": "boolean" },
            },
            "additionalProperties": true,
        },
    }))
}

/// A schema, as it is written.
pub fn schema(value: serde_json::Value) -> Schema {
    serde_json::from_value(value).expect("it is a schema")
}

fn delivery() -> Schema {
    schema(json!({ "anyOf": [
        {
            "type": "object",
            "required": ["accountId", "timestamp", "type"],
            "properties": {
                "accountId": { "type": "string", "format": "uuid" },
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
}

fn occupancy_event() -> Schema {
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
}
