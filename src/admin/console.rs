//! The console: one page and what belongs to it, inside the program. It is made only of the API of this port, and needs nothing
//! from elsewhere.

use super::routes::Failure;
use axum::{
    extract::Path,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

const PAGE: &str = include_str!("console/index.html");

/// What the page loads: name, kind, text.
pub(super) const FILES: [(&str, &str, &str); 9] = [
    ("style.css", CSS, include_str!("console/style.css")),
    ("main.js", JS, include_str!("console/main.js")),
    ("api.js", JS, include_str!("console/api.js")),
    ("dom.js", JS, include_str!("console/dom.js")),
    ("calls.js", JS, include_str!("console/calls.js")),
    ("call.js", JS, include_str!("console/call.js")),
    ("ended.js", JS, include_str!("console/ended.js")),
    ("routes.js", JS, include_str!("console/routes.js")),
    ("phone.js", JS, include_str!("console/phone.js")),
];
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// Nothing from elsewhere, no script in the page itself, no text that becomes one, and no page around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

pub(super) async fn page() -> Response {
    with_policy("text/html; charset=utf-8", PAGE)
}

pub(super) async fn file(Path(name): Path<String>) -> Result<Response, Failure> {
    let found = FILES.iter().find(|(known, ..)| *known == name);
    let (_, kind, text) = found.ok_or_else(|| {
        Failure(StatusCode::NOT_FOUND, "there is nothing at this path".to_owned())
    })?;
    Ok(with_policy(kind, text))
}

fn with_policy(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    (headers, text).into_response()
}
