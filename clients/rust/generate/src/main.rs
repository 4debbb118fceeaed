//! Makes the stubs: `generate PROTO OUT` reads the contract in PROTO and writes the Rust side of it to OUT.

use prost::Message;
use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let (Some(proto), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("usage: generate PROTO OUT".into());
    };
    fs::create_dir_all(&out)?;
    let all = protox::compile(
        ["agibridge/v1/call.proto", "agibridge/v1/worker.proto", "agibridge/v1/manager.proto"],
        [&proto],
    )?;
    tonic_prost_build::configure()
        .out_dir(&out)
        // The one large event: boxed, every other one costs a seventh of the memory that is moved about.
        .boxed(".agibridge.v1.CallEvent.event.started")
        .compile_fds(all)?;

    // What reflection shows: the service that this library serves, and what it needs. Comments stay out.
    let mut served = protox::compile(["agibridge/v1/call.proto"], [&proto])?;
    for file in &mut served.file {
        file.source_code_info = None;
    }
    fs::write(out.join("call.bin"), served.encode_to_vec())?;
    Ok(())
}
