//! What can go wrong in a call of EGYM's API, and what to try next.

use reqwest::StatusCode;
use serde::Deserialize;

/// So much is shown of EGYM's own words, in characters.
const MESSAGE_CHARACTERS_MAX: usize = 300;

/// Why a call has no result. No message holds a key or a secret.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("{0}")]
    Refused(Refusal),
    #[error("EGYM refuses calls because there are too many; try again in a minute")]
    TooManyCalls,
    #[error("EGYM cannot be reached ({0}); look at the network, at `egym.url` and `egym.root`")]
    Unreachable(String),
    #[error("EGYM did not answer in time, so nobody knows whether it did what was asked")]
    NoAnswer,
    #[error("EGYM's answer is not understood; is `egym.url` its API?")]
    NotUnderstood,
}

/// EGYM said no.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    /// EGYM's word for it; empty when it had none.
    pub code: String,
    message: String,
}

/// EGYM's errors, as far as they are of use here. Rejected values may be secrets, so they are not
/// read; and where a text quotes one, it is taken out.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ErrorBody {
    error_code: Option<String>,
    message: Option<String>,
    field_errors: Option<Vec<FieldError>>,
}

#[derive(Deserialize)]
struct FieldError {
    name: String,
    message: Option<String>,
}

impl ApiError {
    pub(super) fn of_transport(error: &reqwest::Error) -> ApiError {
        if error.is_connect() {
            ApiError::Unreachable(innermost(error))
        } else {
            // The call may have arrived.
            ApiError::NoAnswer
        }
    }

    /// `secrets` are what was sent and may come back in EGYM's words.
    pub(super) fn of_answer(status: StatusCode, bytes: &[u8], secrets: &[&str]) -> ApiError {
        let body: ErrorBody = serde_json::from_slice(bytes).unwrap_or_default();
        let fields = body.field_errors.unwrap_or_default().into_iter();
        let fields = fields.map(|field| match field.message {
            Some(message) => format!("{} {message}", field.name),
            None => field.name,
        });
        let texts: Vec<_> = body.message.into_iter().chain(fields).collect();
        ApiError::Refused(Refusal {
            status: status.as_u16(),
            code: printable(&body.error_code.unwrap_or_default(), secrets),
            message: printable(&texts.join("; "), secrets),
        })
    }

    pub fn is_not_found(&self) -> bool {
        matches!(self, ApiError::Refused(refusal) if refusal.status == 404)
    }

    /// The gym has that URL already.
    pub fn is_conflict(&self) -> bool {
        matches!(self, ApiError::Refused(refusal) if refusal.status == 409)
    }

    /// Whether EGYM may have done what was asked all the same.
    pub fn leaves_doubt(&self) -> bool {
        match self {
            ApiError::Refused(refusal) => refusal.status >= 500,
            ApiError::NoAnswer | ApiError::NotUnderstood => true,
            ApiError::TooManyCalls | ApiError::Unreachable(_) => false,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match (self.status, self.code.as_str()) {
            (401, _) => "EGYM got no API key; is FOOTFALL_EGYM_API_KEY set?",
            (403, "missingPermission") => {
                "the API key may not manage webhooks; ask EGYM for a key of this gym location \
                 with that permission"
            }
            (403, _) => {
                "EGYM does not know the API key; is it this gym location's, and for this server \
                 (`egym.url`)?"
            }
            (404, _) => "EGYM has no such webhook; `footfall egym list` shows what it has",
            (409, _) => "EGYM has this URL already; `footfall egym list` shows it",
            (500.., _) => "EGYM has a fault of its own; try again later",
            _ => "EGYM does not accept this",
        };
        write!(f, "{what} (status {}", self.status)?;
        for part in [&self.code, &self.message] {
            if !part.is_empty() {
                write!(f, ", {part}")?;
            }
        }
        f.write_str(")")
    }
}

/// What may be shown of a text from outside: no secret, nothing that a terminal obeys, and not
/// without end.
fn printable(text: &str, secrets: &[&str]) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let hidden = secrets.iter().filter(|secret| !secret.is_empty());
    let text = hidden.fold(text, |text, secret| text.replace(secret, "…"));
    match text.char_indices().nth(MESSAGE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The cause that says most: what reqwest adds around it is where and what, which we say ourselves.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
