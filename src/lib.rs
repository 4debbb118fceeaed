//! agi-bridge: FastAGI in, one gRPC stream a call out.
//!
//! Pure parts know words and order: [`agi`], [`call`], [`route`]. The I/O around them is thin.

pub mod access;
pub mod admin;
pub mod agi;
pub mod ami;
pub mod api;
pub mod app;
pub mod archive;
mod async_agi;
mod backoff;
pub mod call;
pub mod cli;
pub mod config;
pub mod demo;
pub mod listener;
pub mod manage;
mod outbound;
mod patient;
pub mod phone;
mod port;
pub mod proto;
pub mod redact;
pub mod route;
pub mod scenario;
pub mod secret;
pub mod session;
mod sse;
pub mod telemetry;
pub mod tls;
pub mod transcript;
pub mod upstream;
