//! What a request to the manager can fail with.

use std::{error::Error as _, fmt};
use tonic::{Code as Wire, Status};

/// A request to the manager that failed. That Asterisk itself refused something is an answer, and no error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManagerError {
    /// What was asked, as this library has it: `originate`.
    pub method: &'static str,
    /// Why, in a form for programs.
    pub code: ManagerCode,
    /// Why, for people, in English.
    pub detail: String,
    /// Of a call that was to be started: ask again by it to learn what became of it.
    pub request_id: Option<String>,
}

impl ManagerError {
    pub(super) fn new(method: &'static str, status: &Status, request_id: Option<String>) -> Self {
        let detail = status.source().map_or_else(
            || status.message().to_owned(),
            |cause| format!("{}: {cause}", status.message()),
        );
        Self { method, code: ManagerCode::of(status), detail, request_id }
    }
}

impl fmt::Display for ManagerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {} ({})", self.method, self.code, self.detail, self.code.advice())
    }
}

impl std::error::Error for ManagerError {}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $text:literal $advice:literal)*) => {
        /// Why a request to the manager failed; named as gRPC's statuses.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ManagerCode {
            $($(#[$doc])* $name,)*
            /// Another status of gRPC, by its number.
            Other(i32),
        }

        impl ManagerCode {
            /// What breaks on the way has a cause; the bridge's own statuses have none.
            pub(super) fn of(status: &Status) -> Self {
                match status.code() {
                    _ if status.source().is_some() => Self::Unavailable,
                    $(Wire::$name => Self::$name,)*
                    other => Self::Other(other.into()),
                }
            }

            fn advice(self) -> &'static str {
                match self {
                    $(Self::$name => $advice,)*
                    Self::Other(_) => "see the bridge's log",
                }
            }
        }

        impl fmt::Display for ManagerCode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name => f.write_str($text),)*
                    Self::Other(code) => write!(f, "UNKNOWN({code})"),
                }
            }
        }
    };
}

codes! {
    /// Nothing was sent; the detail names the field.
    InvalidArgument "INVALID_ARGUMENT" "correct the field that is named"
    /// The bridge knows nobody by this token or certificate.
    Unauthenticated "UNAUTHENTICATED" "set `token` to one of the bridge's `api.clients`"
    /// The bridge's `api.clients` does not grant it.
    PermissionDenied "PERMISSION_DENIED" "have it granted in the bridge's `api.clients`"
    /// The bridge has no such server.
    NotFound "NOT_FOUND" "name a server of the bridge's `managers`"
    /// The request id belongs to another request.
    AlreadyExists "ALREADY_EXISTS" "choose another request id for another call"
    /// Over a limit of this client, or of the link to Asterisk.
    ResourceExhausted "RESOURCE_EXHAUSTED" "ask for less at a time, or have the limits of `api.clients` raised"
    /// A request id cannot be kept at this Asterisk.
    FailedPrecondition "FAILED_PRECONDITION" "give the bridge's user the class `system` in manager.conf"
    /// The bridge, or its link to Asterisk, is not to be had, or the connection to the bridge broke.
    Unavailable "UNAVAILABLE" "see that the bridge runs, and its link to Asterisk with `list_servers`"
    /// An action was sent, and may have been done.
    Unknown "UNKNOWN" "it may have been done"
    /// Not answered in time; it may have been done.
    DeadlineExceeded "DEADLINE_EXCEEDED" "it may have been done"
    /// What answers is no bridge, or an older one.
    Unimplemented "UNIMPLEMENTED" "use the address of a bridge's `api.listen`, of this version or newer"
    /// A fault of the bridge.
    Internal "INTERNAL" "see the bridge's log"
    /// It was given up; it may have been done.
    Cancelled "CANCELLED" "it may have been done"
}
