//! Processor time and memory as the kernel counts them. Reads `/proc`; knows nothing of calls.

use crate::job::Outcome;
use std::{fs, time::Instant};

/// The kernel's clock tick: 100 a second on every Linux that Debian builds.
const TICK_NS: u64 = 10_000_000;

/// Counters at one moment.
pub(crate) struct Reading {
    at: Instant,
    own_ns: u64,
    watched: Vec<Processor>,
    children_ns: u64,
    machine_ns: u64,
}

/// Processor time of one process.
#[derive(Clone, Copy)]
struct Processor {
    /// Of its threads that live, to the nanosecond.
    threads_ns: u64,
    /// Of those that have ended too, in ticks.
    whole_ns: u64,
}

impl Processor {
    fn of(pid: u32) -> Self {
        Self { threads_ns: threads_ns(pid), whole_ns: ticks_ns(pid, 11) }
    }

    /// A server that has a thread for each call loses the time of those that end; for others the finer count is the better one.
    fn since(self, before: Self) -> u64 {
        let threads = self.threads_ns.saturating_sub(before.threads_ns);
        let whole = self.whole_ns.saturating_sub(before.whole_ns);
        if whole > threads + 2 * TICK_NS { whole } else { threads }
    }
}

impl Reading {
    /// Of this process, of those watched, and of the machine.
    pub(crate) fn take(watch: &[u32]) -> Self {
        Self {
            at: Instant::now(),
            own_ns: threads_ns(std::process::id()),
            watched: watch.iter().map(|&pid| Processor::of(pid)).collect(),
            children_ns: watch.first().map_or(0, |&pid| ticks_ns(pid, 13)),
            machine_ns: machine_busy_ns(),
        }
    }

    /// Writes what passed from here to `later` into `outcome`.
    pub(crate) fn until(&self, later: &Self, outcome: &mut Outcome) {
        outcome.seconds = later.at.duration_since(self.at).as_secs_f64();
        outcome.own_ns = later.own_ns.saturating_sub(self.own_ns);
        outcome.watched_ns = (later.watched.iter().zip(&self.watched))
            .map(|(after, before)| after.since(*before))
            .collect();
        outcome.children_ns = later.children_ns.saturating_sub(self.children_ns);
        let ours = outcome.own_ns + outcome.watched_ns.iter().sum::<u64>() + outcome.children_ns;
        let machine = later.machine_ns.saturating_sub(self.machine_ns);
        outcome.elsewhere_ns = machine.saturating_sub(ours);
    }
}

/// Memory of each process: its proportional set, so that pages shared with others count once.
pub(crate) fn memory_bytes(watch: &[u32]) -> Vec<i64> {
    watch.iter().map(|pid| proportional_set_bytes(*pid).unwrap_or(0)).collect()
}

/// Sums the threads: the scheduler counts them in nanoseconds, the process as a whole only in ticks.
fn threads_ns(pid: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// Two fields of `stat`, in ticks: from 11 on the process's own time, from 13 on that of its children that have ended.
fn ticks_ns(pid: u32, first: usize) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before may hold anything but ends with the last parenthesis.
    let (_, rest) = text.rsplit_once(')').unwrap_or_default();
    let ticks = rest.split_ascii_whitespace().skip(first).take(2);
    ticks.filter_map(|word| word.parse::<u64>().ok()).sum::<u64>() * TICK_NS
}

fn proportional_set_bytes(pid: u32) -> Option<i64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// User, nice, system, interrupt, soft interrupt and stolen time: all but idling and waiting for disks.
fn machine_busy_ns() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> =
        line.split_ascii_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    let busy = [0, 1, 2, 5, 6, 7].iter().filter_map(|&index| ticks.get(index)).sum::<u64>();
    busy * TICK_NS
}
