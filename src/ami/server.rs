//! The settings of one Asterisk. Knows no file.

use crate::{route::Remote, secret::Secret};
use std::sync::Arc;

/// An Asterisk, and how the bridge logs in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Unique; stands in logs, metrics and requests.
    pub name: Arc<str>,
    /// Its manager port.
    pub remote: Remote,
    /// As a section of manager.conf is called.
    pub username: String,
    /// The `secret` there.
    pub secret: Secret,
    /// Send the secret itself, even without TLS, where Asterisk gives no challenge for it.
    pub plain_login: bool,
    /// Its async AGI calls come to the bridge.
    pub async_agi: bool,
}
