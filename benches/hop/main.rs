//! What a hop costs: agi-bridge measured against HAProxy and against bare floors, in one run on one machine.
//!
//! `cargo bench --bench hop -- [--json] [--quick] [--only ROW]`. This program plays every part but the hops
//! themselves: it starts itself again in roles, a process each, so that time and memory can be told apart.
//! `docs/performance.md` says what each row means.

mod abuse;
mod cli;
mod collector;
mod console;
mod counters;
mod driver;
mod echo;
mod events;
mod fastagi;
mod grpc_load;
mod hops;
mod host;
mod instruments;
mod job;
mod kind;
mod language;
mod load;
mod plan;
mod process;
mod report;
mod rows;
mod script;
mod service;
mod session;
mod starter;
mod websocket;
mod worker;
mod world;

use clap::Parser;
use std::{io::Write, process::ExitCode};

fn main() -> ExitCode {
    let flags = cli::Flags::parse();
    let done = match flags.role {
        Some(role) => cli::play(role, &flags),
        None if flags.was_asked_for() => cli::orchestrate(&flags),
        None => {
            return say(
                "hop: run by `cargo bench --bench hop`, or with --bench",
                ExitCode::SUCCESS,
            );
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => say(&format!("hop: {error:#}"), ExitCode::FAILURE),
    }
}

fn say(text: &str, code: ExitCode) -> ExitCode {
    // Nobody is left to tell when stderr itself is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
    code
}
