//! What a writer sends to the API: JSON of a known shape, whatever its `Content-Type` says. The
//! time that it may take is said in [`super::body`].

use actix_web::web;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};

/// Bytes of what is sent.
const JSON_BYTES_MAX: usize = 16 * 1024;

/// Reads it, once it is known that who sends it may.
pub async fn read<T: DeserializeOwned>(payload: web::Payload) -> Result<T, Problem> {
    let bytes = whole(payload).await?;
    // A list would be taken for the fields in their order, and one that is missing for none.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Problem::new(Code::BadParameter, "what is sent is an object, not a list"));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let code = if error.is_data() { Code::BadParameter } else { Code::NotJson };
        Problem::new(code, error.to_string())
    })
}

async fn whole(mut payload: web::Payload) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let late =
            |error| Problem::new(Code::BodyIncomplete, format!("the body broke off: {error}"));
        bytes.extend_from_slice(&chunk.map_err(late)?);
        if bytes.len() > JSON_BYTES_MAX {
            let detail = format!("a body may have {JSON_BYTES_MAX} bytes");
            return Err(Problem::new(Code::BodyTooLarge, detail));
        }
    }
    Ok(bytes)
}
