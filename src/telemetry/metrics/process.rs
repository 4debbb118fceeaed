//! What Linux says of this process, under names that become those of every Prometheus client. Empty on other systems.

use super::family::{Family, Kind, Sample, Value};
use std::fs;

/// Ticks a second in `/proc/self/stat`: the kernel shows this number to user space on every machine we build for.
const TICKS: f64 = 100.0;

pub(super) fn families() -> Vec<Family> {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let booted = fs::read_to_string("/proc/stat").ok().and_then(|text| number(&text, "btime"));
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let open = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64);
    let cpu = Some([field(&stat, 14), field(&stat, 15)])
        .and_then(|[user, system]| Some((user? + system?) / TICKS));
    let started = booted.zip(field(&stat, 22)).map(|(booted, ticks)| booted + ticks / TICKS);

    let all = [
        (("process.cpu", "s"), "CPU time of the process.", Kind::Counter, cpu),
        (("process.open_fds", "{file}"), "Open file descriptors.", Kind::Gauge, open),
        (
            ("process.max_fds", "{file}"),
            "File descriptors that may be open at once.",
            Kind::Gauge,
            number(&limits, "Max open files"),
        ),
        (
            ("process.virtual_memory", "By"),
            "Size of the address space.",
            Kind::Gauge,
            number(&status, "VmSize:").map(|kib| kib * 1024.0),
        ),
        (
            ("process.resident_memory", "By"),
            "Memory in use.",
            Kind::Gauge,
            number(&status, "VmRSS:").map(|kib| kib * 1024.0),
        ),
        (
            ("process.start_time", "s"),
            "When the process started, in Unix time.",
            Kind::Gauge,
            started,
        ),
    ];
    all.into_iter()
        .filter_map(|(name, help, kind, value)| Some(family(name, help, kind, value?)))
        .collect()
}

fn family(
    (name, unit): (&'static str, &'static str),
    help: &'static str,
    kind: Kind,
    value: f64,
) -> Family {
    let sample = Sample { labels: vec![], value: Value::Number(value) };
    Family { name, unit, help, kind, samples: vec![sample] }
}

/// A field of `/proc/self/stat`, counted from 1 as its manual does. The second one may hold blanks and brackets.
fn field(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

/// The first word after `key` at a line's beginning.
fn number(text: &str, key: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_an_odd_program_name() {
        let stat = "42 (a) (b c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 777 1 2";
        assert_eq!(
            (field(stat, 14), field(stat, 15), field(stat, 22)),
            (Some(250.0), Some(50.0), Some(777.0))
        );
        assert_eq!(field("", 14), None);
        assert_eq!(number("VmPeak: 1 kB\nVmRSS:\t  2048 kB\n", "VmRSS:"), Some(2048.0));
        assert_eq!(number("Max open files  1024  4096 files", "Max open files"), Some(1024.0));
    }
}
