//! What the tests share: a real Asterisk, a scripted service, the bridge on ports of its own, and a record of what
//! they said.

pub mod ami;
pub mod asterisk;
pub mod authority;
pub mod bridge;
pub mod clients;
pub mod collector;
pub mod fastagi;
pub mod http;
pub mod issuer;
pub mod manager;
pub mod play;
pub mod port;
pub mod program;
pub mod seat;
pub mod service;
pub mod tap;
pub mod transcript;
