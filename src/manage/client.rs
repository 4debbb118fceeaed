//! Who a client is, and what the configuration grants it. Knows no file.

use super::Globs;
use crate::{access::Credential, secret::Secret};
use std::sync::Arc;

/// In the order of the file: of several that fit, the first one counts.
pub type Clients = Vec<Arc<Client>>;

/// A client of the manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Unique. Its request ids are its own.
    pub name: Arc<str>,
    /// What it must show.
    pub credential: Credential,
    /// What its signed URLs are signed with; unset: it has none.
    pub signed_urls: Option<Secret>,
    /// What it may do.
    pub grant: Grant,
    /// How much of it.
    pub quotas: Quotas,
}

/// What a client may do; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// Asterisks, by their names in `managers`.
    pub servers: Globs,
    /// Actions. A pattern does not stand for those by which one could do anything: they must be named.
    pub actions: Globs,
    /// Events.
    pub events: Globs,
    /// Calls to start.
    pub originate: OriginateGrant,
}

/// Which calls a client may start; by default none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OriginateGrant {
    /// Whom to call, as `PJSIP/32*`.
    pub channels: Globs,
    /// Contexts of the dialplan where they may go on.
    pub contexts: Globs,
    /// Routes of this bridge where they may go on.
    pub routes: Globs,
    /// Applications. A pattern does not stand for those that run programs: they must be named.
    pub applications: Globs,
    /// Functions of the dialplan that variables and data may call. A pattern stands for none of those that reach beyond the call.
    pub functions: Globs,
}

/// How much a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Requests a second; as many may come at once.
    pub rate: u32,
    /// Originates and actions whose end is not known yet.
    pub running: u32,
    /// Streams of events.
    pub watches: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { rate: 100, running: 200, watches: 16 }
    }
}
