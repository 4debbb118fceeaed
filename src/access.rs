//! Who a client of the API port or the admin port is, and what is demanded of it. Knows no ports, and nothing of what may be
//! done there.

mod claims;
mod credential;
mod jwt;
mod keyring;
mod keys;
mod signature;
#[cfg(test)]
pub(crate) mod tests;

pub use claims::{Claims, Demand, Demands};
pub use credential::{Credential, Identity, Peer, Refusal, Shown};
pub(crate) use jwt::expired;
pub use jwt::{TokenError, Tokens, Verified};
pub use keyring::{Issuer, KeySource};
