//! Headers that every answer has: what a browser may make of it, and for how long it may keep it.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    AUTHORIZATION, CACHE_CONTROL, HeaderValue, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::App;
use super::auth::session_secret;
use super::own_address::is_https;

/// A browser that was here over HTTPS comes by nothing else for a year. Other names of the same
/// domain are not ours to speak for.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds them, where the answer does not say otherwise.
pub async fn add<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let (is_https, is_somebody) = {
        let request = request.request();
        let app = request.app_data::<web::Data<App>>().expect("every route has the app");
        let has_token = request.headers().contains_key(AUTHORIZATION);
        (is_https(app, request), has_token || session_secret(request).is_some())
    };
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    if is_somebody && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}
