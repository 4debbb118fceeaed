//! What the open internet does to a port: connections that close at once, and half a prelude followed by silence.

use crate::{host, script};
use serde::{Deserialize, Serialize};
use std::{
    io::Write,
    net::{Shutdown, SocketAddr},
    thread,
    time::{Duration, Instant},
};

/// What to do, as JSON on the command line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Attack {
    pub(crate) target: SocketAddr,
    /// Connections that say nothing and close.
    pub(crate) probes: u64,
    /// Over which the probes are spread evenly.
    pub(crate) over_ms: u64,
    /// Connections that send half a prelude and then keep silent.
    pub(crate) half_open: usize,
}

const PATIENCE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(1);

/// Plays the role: says `ready` once the half-open connections stand, and how many probes got through at the end.
pub(crate) fn main(task: &[String]) -> anyhow::Result<()> {
    let text = task.first().ok_or_else(|| anyhow::anyhow!("this role needs an attack"))?;
    let attack: Attack = serde_json::from_str(text)?;
    let mut held = Vec::with_capacity(attack.half_open);
    for number in 0..attack.half_open {
        let mut stream = host::connect(attack.target, number, PATIENCE)?;
        let prelude = script::prelude("bench/loop", number);
        stream.write_all(prelude.get(..prelude.len() / 2).unwrap_or_default())?;
        held.push(stream);
    }
    host::say("ready")?;
    let probed = probe(&attack);
    host::say(&format!("probed {probed}"))?;
    drop(held);
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "this process has one thread, and it only waits here"
)]
fn probe(attack: &Attack) -> u64 {
    let begun = Instant::now();
    let over = Duration::from_millis(attack.over_ms.max(1));
    let mut sent = 0;
    let mut through = 0;
    while sent < attack.probes && begun.elapsed() < over * 3 {
        let share = begun.elapsed().as_secs_f64() / over.as_secs_f64();
        let due = ((attack.probes as f64 * share) as u64).min(attack.probes);
        while sent < due {
            let probe = host::connect(attack.target, sent as usize, PATIENCE);
            through += u64::from(probe.is_ok_and(|stream| stream.shutdown(Shutdown::Both).is_ok()));
            sent += 1;
        }
        thread::sleep(TICK);
    }
    through
}
