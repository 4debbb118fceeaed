//! What passes between the admin port and whoever reads the configuration.

use serde::Serialize;
use tokio::sync::oneshot;

/// Somebody wants the configuration read again.
#[derive(Debug)]
pub struct ReloadRequest {
    /// Where the report goes.
    pub answer: oneshot::Sender<ReloadReport>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReloadReport {
    /// True when the new configuration counts for calls from now on; false: the old one still does.
    pub in_force: bool,
    /// Every fault of the new one.
    pub faults: Vec<String>,
    /// Settings that changed, and need a restart.
    pub warnings: Vec<String>,
}
