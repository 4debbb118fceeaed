//! The routes as the console shows them: where they lead, who is up, and how their calls did.

use crate::session::recorder::TallyView;
use serde::Serialize;
use std::{fmt, sync::Arc};

/// Where the routes in force are asked for.
#[derive(Clone)]
pub struct RouteSource(Arc<dyn Fn() -> Vec<RouteView> + Send + Sync>);

impl RouteSource {
    /// By `list`, which is asked about once a second while somebody looks.
    pub fn new(list: impl Fn() -> Vec<RouteView> + Send + Sync + 'static) -> Self {
        Self(Arc::new(list))
    }

    pub(super) fn list(&self) -> Vec<RouteView> {
        (self.0)()
    }
}

impl Default for RouteSource {
    /// No routes.
    fn default() -> Self {
        Self::new(Vec::new)
    }
}

impl fmt::Debug for RouteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouteSource")
    }
}

/// One route in force.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteView {
    /// By the configuration.
    pub name: String,
    /// The pattern of its path.
    pub path: String,
    /// Whether it asks for more than a path.
    pub conditional: bool,
    /// What is masked of its calls.
    pub redact: Vec<&'static str>,
    /// In the order of the file.
    pub services: Vec<ServiceView>,
    /// How its calls did since the start, where that is noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tally: Option<TallyView>,
}

/// One service of a route.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceView {
    /// By the configuration.
    pub url: String,
    /// Its share of the calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Of `worker://`: how many are registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
    /// Of a name: what it leads to.
    pub addresses: Vec<AddressView>,
}

/// One address of a service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AddressView {
    /// With its port.
    pub address: String,
    /// `unknown` (taken for healthy), `serving`, `not_serving` or `unreachable`.
    pub health: &'static str,
    /// Calls that it has of this bridge.
    pub calls: usize,
    /// It failed lately, and is tried last.
    pub penalised: bool,
}
