//! The command line: what a person asks for, and the role that this process plays for another one.

use crate::{
    abuse, collector, console, echo, events, fastagi, grpc_load, load, plan, process, report,
    service, starter, websocket, worker,
};
use clap::{Parser, ValueEnum};
use std::{path::PathBuf, time::Duration};

const REAPING: Duration = Duration::from_millis(200);

/// Measures the hop that agi-bridge is, beside HAProxy and bare floors.
#[derive(Parser)]
#[command(name = "hop")]
pub(crate) struct Flags {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// One short run of every row: shows that it works, measures little.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only rows whose name begins with this; may be given several times. `kind` stands for all rows that hold another
    /// kind of service against gRPC, `kind-ws`, `kind-worker`, `kind-agi` and `kind-exec` for some of them; `client` for all
    /// rows of client libraries, `client-go` for those of one; `events` for those of Asterisk's events.
    #[arg(long, value_name = "ROW")]
    pub(crate) only: Vec<String>,
    /// Another agi-bridge than the one just built.
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_agi-bridge"))]
    pub(crate) bridge: PathBuf,
    /// Only the floors and HAProxy, no bridge.
    #[arg(long)]
    pub(crate) floors: bool,
    /// Interleaved runs; each figure is the median of them.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) runs: u32,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
    #[arg(long, hide = true)]
    pub(crate) role: Option<Role>,
    /// Stay on this core.
    #[arg(long, hide = true)]
    pub(crate) cpu: Option<usize>,
    /// What the role is to do: a job as JSON, or a program with its arguments.
    #[arg(hide = true, trailing_var_arg = true)]
    pub(crate) task: Vec<String>,
}

/// The parts that this program plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Asterisk, many times over.
    Load,
    /// The same on a bare gRPC stream.
    GrpcLoad,
    /// Probes and half-open connections.
    Abuse,
    /// Consoles that are open, and somebody who asks for the list of calls.
    Console,
    /// A bare TCP line echo.
    Echo,
    /// A direct FastAGI server.
    Fastagi,
    /// A service behind the bridge.
    GrpcService,
    /// The same over WebSocket.
    WebsocketService,
    /// A worker that dials in to the bridge.
    WorkerGrpc,
    /// The same over WebSocket.
    WorkerWebsocket,
    /// Takes the traces.
    Collector,
    /// A busy Asterisk, many subscribers, and somebody who sends actions.
    Events,
    /// Passes events on, in the bridge's place.
    Fanout,
    /// Starts a script for each call, and is its Asterisk.
    Starter,
    /// Becomes another program, on the core asked for.
    Exec,
}

impl Flags {
    /// False when `cargo test --all-targets` runs this as if it were a test.
    pub(crate) fn was_asked_for(&self) -> bool {
        self.bench || self.quick || self.json || self.floors || !self.only.is_empty()
    }
}

/// Plays one role until it is done or its parent is gone.
pub(crate) fn play(role: Role, flags: &Flags) -> anyhow::Result<()> {
    process::die_with_parent()?;
    if let Some(cpu) = flags.cpu {
        process::stay_on(cpu)?;
    }
    match role {
        Role::Load => load::main(&flags.task),
        Role::GrpcLoad => current_thread()?.block_on(grpc_load::main(&flags.task)),
        Role::Abuse => abuse::main(&flags.task),
        Role::Console => console::main(&flags.task),
        Role::Echo => current_thread()?.block_on(echo::main()),
        Role::Fastagi => current_thread()?.block_on(fastagi::main()),
        Role::GrpcService => current_thread()?.block_on(service::main()),
        Role::WebsocketService => current_thread()?.block_on(websocket::main()),
        Role::WorkerGrpc => current_thread()?.block_on(worker::grpc(&flags.task)),
        Role::WorkerWebsocket => current_thread()?.block_on(worker::websocket(&flags.task)),
        Role::Collector => current_thread()?.block_on(collector::main()),
        Role::Events => current_thread()?.block_on(events::main(&flags.task)),
        Role::Fanout => current_thread()?.block_on(events::fanout::main(&flags.task)),
        Role::Starter => starter::main(&flags.task),
        Role::Exec => process::become_program(&flags.task),
    }
}

/// Runs the plan, and stops all it started also on a signal.
pub(crate) fn orchestrate(flags: &Flags) -> anyhow::Result<()> {
    // On this very thread: children are told to die with the thread that started them.
    let runtime = current_thread()?;
    let results = runtime.block_on(async {
        tokio::select! {
            results = plan::run(flags) => results,
            signal = process::stop_signal() => Err(anyhow::anyhow!("stopped by {}", signal?)),
        }
    });
    // Children that were dropped just now are dead; the runtime reaps them as soon as it turns.
    runtime.block_on(async { tokio::time::sleep(REAPING).await });
    report::print(flags, &results?)
}

fn current_thread() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
