//! Problems: every error that a reader or a sender can get, in one table (RFC 9457).

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::actions::Refused;
use crate::store::{StoreError, WriteError};

/// Seconds after which a refused delivery or question may be tried again.
pub const RETRY_AFTER_SECONDS: u32 = 2;

/// What went wrong. Each has a status, a title and a word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    BodyTooLarge,
    BodyIncomplete,
    NotJson,
    WrongShape,
    TimeTooEarly,
    TimeInFuture,
    StretchFull,
    BeyondRetention,
    BadParameter,
    BadRange,
    TooManyBuckets,
    StaleCursor,
    NameTaken,
    Conflict,
    Unavailable,
    Internal,
}

impl Code {
    pub const ALL: [Code; 20] = [
        Code::Unauthorized,
        Code::Forbidden,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::BodyTooLarge,
        Code::BodyIncomplete,
        Code::NotJson,
        Code::WrongShape,
        Code::TimeTooEarly,
        Code::TimeInFuture,
        Code::StretchFull,
        Code::BeyondRetention,
        Code::BadParameter,
        Code::BadRange,
        Code::TooManyBuckets,
        Code::StaleCursor,
        Code::NameTaken,
        Code::Conflict,
        Code::Unavailable,
        Code::Internal,
    ];

    /// The table: status, word for programs, title.
    pub fn row(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Code::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "Not authorized"),
            Code::Forbidden => (S::FORBIDDEN, "forbidden", "Beyond this token's role"),
            Code::NotFound => (S::NOT_FOUND, "not_found", "Not found"),
            Code::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed here")
            }
            Code::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large", "Body too large"),
            Code::BodyIncomplete => (S::BAD_REQUEST, "body_incomplete", "Body incomplete"),
            Code::NotJson => (S::BAD_REQUEST, "not_json", "Not JSON"),
            Code::WrongShape => (S::UNPROCESSABLE_ENTITY, "wrong_shape", "Not a delivery"),
            Code::TimeTooEarly => (S::UNPROCESSABLE_ENTITY, "time_too_early", "Time out of range"),
            Code::TimeInFuture => (S::UNPROCESSABLE_ENTITY, "time_in_future", "Time out of range"),
            Code::StretchFull => (S::UNPROCESSABLE_ENTITY, "stretch_full", "Too many events"),
            Code::BeyondRetention => (S::UNPROCESSABLE_ENTITY, "beyond_retention", "Too old"),
            Code::BadParameter => (S::UNPROCESSABLE_ENTITY, "bad_parameter", "Bad parameter"),
            Code::BadRange => (S::UNPROCESSABLE_ENTITY, "bad_range", "Bad range"),
            Code::TooManyBuckets => {
                (S::UNPROCESSABLE_ENTITY, "too_many_buckets", "Too many buckets")
            }
            Code::StaleCursor => (S::CONFLICT, "stale_cursor", "Not of this database any more"),
            Code::NameTaken => (S::CONFLICT, "name_taken", "The name is taken"),
            Code::Conflict => (S::CONFLICT, "conflict", "Not as things are now"),
            Code::Unavailable => (S::SERVICE_UNAVAILABLE, "unavailable", "Try again soon"),
            Code::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "A fault of ours"),
        }
    }
}

/// An answer that is an error.
#[derive(Debug, Clone)]
pub struct Problem {
    pub code: Code,
    pub detail: String,
    /// Where the delivery waits, when it could not be appended.
    pub quarantine_id: Option<i64>,
    /// How it is with everything, where that was asked.
    pub checks: Option<Box<serde_json::Value>>,
    /// What a page says of it; else it says what its code means.
    pub on_pages: Option<OnPages>,
}

/// A message of the pages, in every language that they speak, and what fills it.
#[derive(Debug, Clone)]
pub struct OnPages {
    pub key: &'static str,
    pub values: Vec<String>,
}

/// How a problem is written (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Names the kind of problem; the same as `code`, as a URI.
    #[serde(rename = "type")]
    #[schema(format = "uri")]
    pub kind: String,
    pub title: &'static str,
    pub status: u16,
    /// What happened, and what to try next.
    pub detail: String,
    /// The word for programs; the table is in the API's documentation.
    #[schema(schema_with = super::openapi::codes)]
    pub code: &'static str,
    /// Where an authenticated delivery waits that could not be appended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub quarantine_id: Option<i64>,
    /// Of `/readyz?verbose` only: what it says of each check.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Vec<Object>>)]
    pub checks: Option<Box<serde_json::Value>>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Problem {
        Problem { code, detail: detail.into(), quarantine_id: None, checks: None, on_pages: None }
    }

    /// The same, with the message that says it on a page.
    pub fn as_message(mut self, key: &'static str, values: &[&str]) -> Problem {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        self.on_pages = Some(OnPages { key, values });
        self
    }

    /// The same, where the problem is of that kind.
    pub fn as_message_if(self, code: Code, key: &'static str) -> Problem {
        if self.code == code { self.as_message(key, &[]) } else { self }
    }

    /// The store failed: logged here, once, and told in general words. What will fail again the next
    /// time is nothing to wait for.
    pub fn of_store(error: &StoreError) -> Problem {
        tracing::error!(%error, "the store failed");
        if matches!(error, StoreError::Damaged(_) | StoreError::Refused(_)) {
            return super::panics::fault();
        }
        Problem::new(Code::Unavailable, "the store cannot answer now; see the service's log")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Problem::of_store(&error)
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Overloaded => {
                tracing::warn!("a write was refused: the queue is full");
                Problem::new(Code::Unavailable, "too many writes are waiting")
            }
            WriteError::Stopped => Problem::new(Code::Unavailable, "the service is stopping"),
            WriteError::Failed(error) => Problem::of_store(&error),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let code = match &refused {
            Refused::Beyond(_) => Code::Forbidden,
            Refused::NotFound(_) => Code::NotFound,
            Refused::Bad(_) => Code::BadParameter,
            Refused::Taken(_) => Code::NameTaken,
            Refused::Conflict(_) => Code::Conflict,
            Refused::Store(error) => return Problem::of_store(error),
        };
        Problem::new(code, refused.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.row().1, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.row().0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, word, title) = self.code.row();
        let body = ProblemBody {
            kind: format!("urn:footfall:problem:{word}"),
            title,
            status: status.as_u16(),
            detail: self.detail.clone(),
            code: word,
            quarantine_id: self.quarantine_id,
            checks: self.checks.clone(),
        };
        let mut answer = HttpResponse::build(status);
        if self.code == Code::Unavailable {
            answer.insert_header(("retry-after", RETRY_AFTER_SECONDS.to_string()));
        }
        if self.code == Code::Unauthorized {
            answer.insert_header(("www-authenticate", "Bearer"));
        }
        let text = serde_json::to_string(&body).expect("a problem is plain JSON");
        answer.content_type("application/problem+json").body(text)
    }
}
