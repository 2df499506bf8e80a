//! Where a request came from, by the word of proxies that are trusted and of no others.

use std::net::IpAddr;

use actix_web::HttpRequest;

/// The address nearest to the sender that nobody could have made up: each proxy adds, at the end
/// of `X-Forwarded-For`, whom it heard from.
pub fn origin(request: &HttpRequest, trusted: &[IpAddr]) -> Option<IpAddr> {
    let mut nearest = request.peer_addr()?.ip().to_canonical();
    let headers = request.headers().get_all("x-forwarded-for");
    let told: Vec<&str> = headers.filter_map(|value| value.to_str().ok()).collect();
    let told = told.join(",");
    for address in told.rsplit(',') {
        let Ok(address) = address.trim().parse::<IpAddr>() else { break };
        if !trusted.contains(&nearest) {
            break;
        }
        nearest = address.to_canonical();
    }
    Some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn origin_of(peer: &str, told: &[&str]) -> String {
        let request = TestRequest::default().peer_addr(format!("{peer}:1").parse().unwrap());
        let request =
            told.iter().fold(request, |r, told| r.append_header(("x-forwarded-for", *told)));
        let trusted = ["10.0.0.1", "10.0.0.2"].map(|address| address.parse().unwrap());
        origin(&request.to_http_request(), &trusted).unwrap().to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(origin_of("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(origin_of("10.0.0.1", &["6.6.6.6, 7.7.7.7"]), "7.7.7.7");
        assert_eq!(origin_of("10.0.0.1", &["6.6.6.6, 7.7.7.7, 10.0.0.2"]), "7.7.7.7");
        assert_eq!(origin_of("10.0.0.1", &["6.6.6.6", "7.7.7.7"]), "7.7.7.7");
        assert_eq!(origin_of("9.9.9.9", &["6.6.6.6"]), "9.9.9.9", "it is nobody's proxy");
        assert_eq!(origin_of("10.0.0.1", &["6.6.6.6, nonsense"]), "10.0.0.1");
    }
}
