//! The headers of a request that offers a call, the same for every kind of service that has headers. Knows no connection.

use crate::route::Service;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, USER_AGENT},
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

const AGENT: &str = concat!("agi-bridge/", env!("CARGO_PKG_VERSION"));

/// Adds who asks, `metadata`, and the headers and the token of `service`, in this order.
/// Fails with what is wrong when the service's settings fit in no request.
pub(super) fn fill(
    headers: &mut HeaderMap,
    service: &Service,
    metadata: &[(String, String)],
) -> Result<(), String> {
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    for (name, value) in metadata {
        let value = ascii(value);
        add(headers, name, &value)?;
    }
    for (name, value) in &service.headers {
        add(headers, name, value.expose())?;
    }
    if let Some(token) = &service.token {
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|_| "the token is no header value".to_owned())?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(())
}

fn add(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let value = HeaderValue::from_str(value).map_err(|_| format!("{name}: no header value"))?;
    let name = HeaderName::try_from(name).map_err(|_| format!("{name}: no header name"))?;
    headers.append(name, value);
    Ok(())
}

/// Metadata is printable ASCII; what is not (a route's name in another script) is percent-encoded.
fn ascii(value: &str) -> String {
    const UNPRINTABLE: &AsciiSet = CONTROLS;
    utf8_percent_encode(value, UNPRINTABLE).to_string()
}
