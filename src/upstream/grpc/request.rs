//! The head of a gRPC request to a service: path, authority, metadata. Knows no connection.

use crate::{route::Service, upstream::header};
use http::{
    HeaderValue, Request, Uri,
    header::{CONTENT_TYPE, TE},
    uri::{Authority, PathAndQuery, Scheme},
};

/// A request to `path` of `service`, with its token and headers, and with `metadata` before those.
/// Fails with what is wrong when the service's settings fit in no request.
pub(super) fn head(
    service: &Service,
    path: &'static str,
    metadata: &[(String, String)],
) -> Result<Request<()>, String> {
    let mut request = Request::new(());
    *request.method_mut() = http::Method::POST;
    *request.version_mut() = http::Version::HTTP_2;
    *request.uri_mut() = uri(service, path)?;
    let headers = request.headers_mut();
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    header::fill(headers, service, metadata)?;
    Ok(request)
}

fn uri(service: &Service, path: &'static str) -> Result<Uri, String> {
    let remote = service.remote().ok_or("it has no address")?;
    let authority =
        Authority::try_from(remote.authority()).map_err(|e| format!("{}: {e}", remote.host))?;
    let scheme = if remote.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
    Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(PathAndQuery::from_static(path))
        .build()
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::tests::service;
    use crate::{
        route::{Remote, Target, Tls},
        secret::Secret,
    };

    #[test]
    fn carries_metadata_headers_and_token() {
        let mut service = service("::1", 50051);
        let remote = Remote { host: "::1".into(), port: 50051, tls: Some(Tls::default()) };
        service.target = Target::Grpc(remote);
        service.token = Some(Secret::new("t0p"));
        service.headers = vec![("x-tenant".into(), Secret::new("blue"))];
        let metadata = [("agibridge-route".to_owned(), "приём\n".to_owned())];
        let head = head(&service, "/a/B", &metadata).expect("a request");
        assert_eq!(head.uri(), "https://[::1]:50051/a/B");
        assert_eq!(head.headers()["authorization"], "Bearer t0p");
        assert_eq!(head.headers()["x-tenant"], "blue");
        assert_eq!(head.headers()["agibridge-route"], "%D0%BF%D1%80%D0%B8%D1%91%D0%BC%0A");
        assert_eq!(head.headers()["te"], "trailers");
    }

    #[test]
    fn says_which_setting_is_no_header() {
        let mut service = service("x", 1);
        service.headers = vec![("x-a".into(), Secret::new("one\ntwo"))];
        assert_eq!(head(&service, "/a/B", &[]).map(|_| ()), Err("x-a: no header value".into()));
    }
}
