//! Tests on a real Asterisk 22; README.md beside this file says how to run them.
//!
//! One Asterisk serves all of them, and they run at the same time. That it has nothing to complain of, and no channel
//! left, is looked at once all are done: so this is a runner of its own, and not libtest. Arguments are parts of names.

mod async_agi;
#[cfg(feature = "clients")]
mod clients;
#[cfg(feature = "clients")]
mod digit_clients;
mod fastagi;
mod interrupt;
mod ladder;
mod loss;
mod manager;
#[cfg(feature = "clients")]
mod manager_clients;
mod node;
#[cfg(feature = "clients")]
mod one_trace;
mod originate;
mod policy;
mod python;
mod runner;
mod scenarios;
mod scripts;
mod traces;
mod transcripts;
mod wire;
mod worker;

use kit::asterisk::{Asterisk, Dialplan};
use runner::Runner;
use std::{
    fs,
    process::{self, ExitCode},
    sync::Arc,
    time::Duration,
};

/// How long channels may take to go, once the tests are done with them.
const CHANNELS_GONE_TIMEOUT: Duration = Duration::from_secs(15);

/// What Asterisk warns of because a test asks for just that.
const PROVOKED: &[&str] = &["nosuch", "NoSuchApplication", "Line too long"];

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(run())
}

async fn run() -> ExitCode {
    let mut runner = Runner::from_arguments();
    let mut dialplan = Dialplan::default();
    wire::prepare(&mut dialplan);
    python::prepare(&mut dialplan);
    traces::prepare(&mut dialplan);
    transcripts::prepare(&mut dialplan);
    node::prepare(&mut dialplan);
    originate::prepare(&mut dialplan);
    worker::prepare(&mut dialplan);
    #[cfg(feature = "clients")]
    clients::prepare(&mut dialplan);
    #[cfg(feature = "clients")]
    digit_clients::prepare(&mut dialplan);
    #[cfg(feature = "clients")]
    manager_clients::prepare(&mut dialplan);
    #[cfg(feature = "clients")]
    one_trace::prepare(&mut dialplan);
    fastagi::prepare(&mut dialplan);
    scripts::prepare(&mut dialplan);
    policy::prepare(&mut dialplan);
    ladder::prepare(&mut dialplan);
    loss::prepare(&mut dialplan);
    interrupt::prepare(&mut dialplan);
    let scenarios = scenarios::load();
    for (_, scenario) in scenarios.iter().filter(|(_, scenario)| scenario.phone_only.is_none()) {
        kit::play::prepare(&mut dialplan, scenario);
    }
    let asterisk = Arc::new(Asterisk::start(&dialplan).await);

    wire::add(&mut runner, &asterisk);
    python::add(&mut runner, &asterisk);
    traces::add(&mut runner, &asterisk);
    transcripts::add(&mut runner, &asterisk);
    node::add(&mut runner, &asterisk);
    originate::add(&mut runner, &asterisk);
    worker::add(&mut runner, &asterisk);
    #[cfg(feature = "clients")]
    clients::add(&mut runner, &asterisk);
    #[cfg(feature = "clients")]
    digit_clients::add(&mut runner, &asterisk);
    #[cfg(feature = "clients")]
    one_trace::add(&mut runner, &asterisk);
    fastagi::add(&mut runner, &asterisk);
    scripts::add(&mut runner, &asterisk);
    policy::add(&mut runner, &asterisk);
    ladder::add(&mut runner, &asterisk);
    loss::add(&mut runner, &asterisk);
    manager::add(&mut runner, &asterisk);
    #[cfg(feature = "clients")]
    manager_clients::add(&mut runner, &asterisk);
    interrupt::add(&mut runner, &asterisk);
    async_agi::add(&mut runner, &asterisk, &scenarios).await;
    let lab = scenarios::add(&mut runner, &asterisk, scenarios).await;
    runner.run().await;

    if !runner.is_filtered() {
        let unused = lab.unused_commands();
        runner.check("every command was put to asterisk", unused.is_empty(), &unused.join("\n"));
    }
    let warnings = lab.bridge_warnings();
    runner.check("the bridge has nothing to warn of", warnings.is_empty(), &warnings.join("\n"));
    let left = asterisk.channels_left(CHANNELS_GONE_TIMEOUT).await;
    runner.check("no channel is left", left.is_empty(), &left.join("\n"));
    let mut warnings = asterisk.warnings();
    warnings.retain(|line| !PROVOKED.iter().any(|known| line.contains(known)));
    runner.check("asterisk has nothing to warn of", warnings.is_empty(), &warnings.join("\n"));
    drop((lab, asterisk));
    let left = children();
    runner.check("no process is left", left.is_empty(), &left.join("\n"));
    runner.finish()
}

/// The processes that this one has started and that still are.
fn children() -> Vec<String> {
    let own = process::id().to_string();
    let stats = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    // The name stands in brackets and may hold anything; state and parent follow.
    stats
        .filter(|stat| {
            stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some(&own)
        })
        .collect()
}
