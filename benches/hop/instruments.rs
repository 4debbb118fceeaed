//! What the instruments of the bridge cost a command by themselves. They cannot be switched off, so they are used alone, as
//! often as a session uses them for a command; with warm caches, so this is the least that they cost.

use agi_bridge::{
    proto::{Done, command_result::Outcome},
    telemetry::{
        metrics::{CommandLabel, Metrics, OutcomeLabel},
        trace::TraceContext,
    },
};
use anyhow::Context;
use std::{fs, hint::black_box, time::Duration};

const COMMANDS: u32 = 2_000_000;

/// Nanoseconds of this thread's processor time for one command.
pub(crate) fn measure() -> anyhow::Result<f64> {
    let core = Metrics::new().core();
    let call = core.route(&"bench".into()).call_started();
    let outcome = Outcome::Done(Done::default());
    let trace = Some(TraceContext::root().trace_id);
    let before = processor_ns()?;
    for turn in 0..COMMANDS {
        let elapsed = Duration::from_micros(u64::from(black_box(turn) % 4096));
        // It comes, is written, is answered, and its result is told.
        call.set_queued(1);
        core.overhead(elapsed, trace);
        call.set_queued(0);
        let labels =
            (CommandLabel::named(black_box("NOOP")), OutcomeLabel::of(black_box(&outcome)));
        core.command(labels, Some(elapsed), trace);
        core.overhead(elapsed, trace);
    }
    Ok((processor_ns()? - before) as f64 / f64::from(COMMANDS))
}

fn processor_ns() -> anyhow::Result<u64> {
    let file = "/proc/thread-self/schedstat";
    let text = fs::read_to_string(file).context(file)?;
    text.split_whitespace().next().and_then(|word| word.parse().ok()).context(file)
}
