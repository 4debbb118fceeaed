//! Generates the Rust side of the contract, without a `protoc` on the machine.

use prost::Message;
use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 4] = ["call", "command", "manager", "worker"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files: Vec<String> =
        FILES.iter().map(|name| format!("proto/agibridge/v1/{name}.proto")).collect();
    let descriptors = protox::compile(&files, ["proto"])?;
    let encoded = descriptors.encode_to_vec();

    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("agibridge.bin"), &encoded)?;
    tonic_prost_build::configure()
        .bytes(".agibridge.v1.Checkpoint")
        .bytes(".agibridge.v1.Handoff")
        .bytes(".agibridge.v1.Resumption.checkpoint")
        .extern_path(".google.protobuf", "::pbjson_types")
        // The one large event: boxed, every other one costs a seventh of the memory that is moved about.
        .boxed(".agibridge.v1.CallEvent.event.started")
        .compile_well_known_types(true)
        .compile_fds(descriptors)?;
    // Canonical JSON for the same types: WebSocket services speak it, scenario files and transcripts are written in it.
    pbjson_build::Builder::new()
        .register_descriptors(&encoded)?
        .ignore_unknown_fields()
        // The name of a value that only a newer peer knows is read as UNSPECIFIED.
        .ignore_unknown_enum_variants()
        .build(&[".agibridge.v1"])?;
    Ok(())
}
