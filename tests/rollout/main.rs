//! What is replaced under three hundred running calls: the bridge itself, and certificates. No call notices.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod bridge;
mod certificates;
mod load;
mod tls;
