//! The contract, generated from `proto/agibridge/v1`, with canonical JSON by serde.

#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::use_self,
    clippy::wildcard_enum_match_arm,
    clippy::or_fun_call,
    clippy::unwrap_used,
    reason = "generated code; its documentation stands in the proto files"
)]

tonic::include_proto!("agibridge.v1");
include!(concat!(env!("OUT_DIR"), "/agibridge.v1.serde.rs"));

/// The descriptors of the contract, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/agibridge.bin"));
