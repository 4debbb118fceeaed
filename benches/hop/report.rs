//! The table for people and the JSON for machines.

use crate::{
    cli::Flags,
    hops,
    plan::Results,
    rows::{self, Judged, Row},
    world::Subject,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{self, Write},
};

/// Median, least and most of the runs.
#[derive(Clone, Copy)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

/// Prints what was measured. Fails when calls broke: such figures mean nothing.
pub(crate) fn print(flags: &Flags, results: &Results) -> anyhow::Result<()> {
    let rows = rows::chosen(&flags.only);
    let mut out = io::stdout().lock();
    if flags.json {
        serde_json::to_writer_pretty(&mut out, &as_json(&rows, results))?;
        writeln!(out)?;
    } else {
        write_table(&mut out, &rows, results)?;
    }
    out.flush()?;
    anyhow::ensure!(results.complaints.is_empty(), "{}", results.complaints.join("; "));
    Ok(())
}

impl Spread {
    fn of(figures: &[f64]) -> Option<Self> {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), min, max })
    }
}

impl Row {
    /// What is held against the target.
    fn judged_figures(&self, results: &Results) -> Vec<f64> {
        match self.judged {
            Judged::Ratio => self.ratios(results, self.against),
            Judged::Itself => self.figures(results, self.of),
        }
    }

    fn is_reached(&self, results: &Results) -> Option<bool> {
        let judged = Spread::of(&self.judged_figures(results))?;
        Some(self.target?.is_reached(judged.median))
    }
}

fn write_table(out: &mut impl Write, rows: &[Row], results: &Results) -> io::Result<()> {
    let machine = machine();
    for name in ["version", "haproxy", "kernel", "cores", "processor"] {
        let value = machine.get(name).and_then(Value::as_str).unwrap_or("unknown");
        writeln!(out, "{name:<10} {value}")?;
    }
    let (runs, held, elsewhere) = (results.runs, results.held, elsewhere(results));
    writeln!(
        out,
        "runs       {runs} interleaved, medians below; {held} calls in the row of held calls"
    )?;
    writeln!(out, "elsewhere  {elsewhere:.0} % of a core was taken by other processes\n")?;

    let (pairs, hops): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.is_of_a_pair());
    if !hops.is_empty() {
        write_hops(out, &hops, results)?;
    }
    if !pairs.is_empty() {
        write_pairs(out, &pairs, results)?;
    }
    if let Some((alone, times)) = instruments(rows.iter(), results) {
        writeln!(
            out,
            "instruments: {:.0} ns of a command ({:.0}..{:.0}), which makes it {:.3} times ({:.3}..{:.3}) what it is without",
            alone.median, alone.min, alone.max, times.median, times.min, times.max
        )?;
    }
    Ok(())
}

/// What the instruments take of a command, in nanoseconds, and how many times dearer it is by them than without; each of the
/// same run.
fn instruments<'a>(
    rows: impl Iterator<Item = &'a Row>,
    results: &Results,
) -> Option<(Spread, Spread)> {
    let row = rows.into_iter().find(|row| row.is_held_against_instruments())?;
    let whole = row.figures(results, Subject::Bridge);
    let alone = &results.instruments_ns;
    let times = whole.iter().zip(alone).map(|(us, ns)| us * 1e3 / (us * 1e3 - ns));
    Some((Spread::of(alone)?, Spread::of(&times.collect::<Vec<_>>())?))
}

fn write_hops(out: &mut impl Write, rows: &[&Row], results: &Results) -> io::Result<()> {
    let columns = Subject::HOPS.map(|subject| format!("{:>9}", subject.name())).join(" ");
    writeln!(
        out,
        "{:<10} {:<34} {:<12} {columns} {:>15} {:>15} {:>8} {:>5}",
        "row", "what", "unit", "bridge/haproxy", "min..max", "target", "shape"
    )?;
    for row in rows {
        write_row(out, row, results)?;
    }
    writeln!(
        out,
        "\nThe ratio is that of each run, its median, least and most. `shape` is what a prototype of the same shape did.\n\
         memory, cpu-5000 and abuse-* are judged by the bridge's own figure; the range is that figure's.\n"
    )
}

fn write_pairs(out: &mut impl Write, rows: &[&Row], results: &Results) -> io::Result<()> {
    writeln!(
        out,
        "{:<26} {:<34} {:<11} {:>9} {:>10} {:>6} {:>11} {:>11} {:>8}",
        "row", "what", "unit", "itself", "against", "ratio", "min..max", "to haproxy", "target"
    )?;
    for row in rows {
        write_pair(out, row, results)?;
    }
    writeln!(
        out,
        "\n`against` is agi-bridge before a gRPC service; for kind-exec-* whoever starts the same script itself; for client-*\n\
         a FastAGI library of the language without a bridge (`-`: not built, `make clients-bench`); for events-* a bare\n\
         program that passes events on as they are. events-* are judged by the bridge's own figure, and the range is that figure's."
    )
}

fn write_pair(out: &mut impl Write, row: &Row, results: &Results) -> io::Result<()> {
    let median =
        |figures: &[f64]| Spread::of(figures).map_or_else(|| "-".to_owned(), |it| short(it.median));
    let itself = median(&row.figures(results, row.of));
    let against = median(&row.figures(results, row.against));
    let ratios = row.ratios(results, row.against);
    let ratio = median(&ratios);
    let range = Spread::of(&row.judged_figures(results))
        .map_or_else(|| "-".to_owned(), |it| format!("{}..{}", short(it.min), short(it.max)));
    let haproxy = row.beside().map_or(String::new(), |it| median(&row.ratios(results, it)));
    let target = row.target.map_or(String::new(), rows::Target::words);
    writeln!(
        out,
        "{:<26} {:<34} {:<11} {itself:>9} {against:>10} {ratio:>6} {range:>11} {haproxy:>11} {target:>8} {}",
        row.id,
        row.title,
        row.unit,
        verdict(row, results)
    )
}

fn write_row(out: &mut impl Write, row: &Row, results: &Results) -> io::Result<()> {
    let columns = Subject::HOPS
        .map(|subject| {
            let spread = Spread::of(&row.figures(results, subject));
            spread.map_or_else(|| format!("{:>9}", "-"), |it| format!("{:>9}", short(it.median)))
        })
        .join(" ");
    let ratio = Spread::of(&row.ratios(results, row.against))
        .map_or_else(|| "-".to_owned(), |it| short(it.median));
    let range = Spread::of(&row.judged_figures(results))
        .map_or_else(|| "-".to_owned(), |it| format!("{}..{}", short(it.min), short(it.max)));
    let target = row.target.map_or(String::new(), rows::Target::words);
    let shape = row.prototype.map_or(String::new(), |figure| format!("{figure:.2}"));
    let verdict = verdict(row, results);
    writeln!(
        out,
        "{:<10} {:<34} {:<12} {columns} {ratio:>15} {range:>15} {target:>8} {shape:>5} {verdict}",
        row.id, row.title, row.unit
    )
}

fn verdict(row: &Row, results: &Results) -> &'static str {
    match row.is_reached(results) {
        Some(true) => "reached",
        Some(false) => "MISSED",
        None => "",
    }
}

fn as_json(rows: &[Row], results: &Results) -> Value {
    let instruments = instruments(rows.iter(), results);
    let rows: Vec<Value> = rows.iter().map(|row| row_as_json(row, results)).collect();
    json!({
        "bench": "hop",
        "command": std::env::args().collect::<Vec<_>>(),
        "machine": machine(),
        "runs": results.runs,
        "held_calls": results.held,
        "seconds": results.seconds,
        "elsewhere_percent_of_a_core": elsewhere(results),
        "complaints": results.complaints,
        "instruments_ns_a_command": instruments.map(|(alone, _)| alone.median),
        "instruments_times": instruments.map(|(_, times)| times.median),
        "rows": rows,
    })
}

fn row_as_json(row: &Row, results: &Results) -> Value {
    let ours: Vec<Subject> = if row.is_of_a_pair() {
        [row.of, row.against].into_iter().chain(row.beside()).collect()
    } else {
        Subject::HOPS.to_vec()
    };
    let subjects: serde_json::Map<String, Value> = ours
        .into_iter()
        .map(|subject| (subject.name().to_owned(), spread_as_json(&row.figures(results, subject))))
        .filter(|(_, spread)| !spread.is_null())
        .collect();
    json!({
        "row": row.id,
        "what": row.title,
        "unit": row.unit,
        "subjects": subjects,
        "of": row.of.name(),
        "against": row.against.name(),
        "ratio": spread_as_json(&row.ratios(results, row.against)),
        "ratio_to_haproxy": row.beside().map(|it| spread_as_json(&row.ratios(results, it))),
        "judged": match row.judged { Judged::Ratio => "ratio", Judged::Itself => "itself" },
        "target": row.target.map(rows::Target::words),
        "prototype": row.prototype,
        "reached": row.is_reached(results),
    })
}

fn spread_as_json(figures: &[f64]) -> Value {
    Spread::of(figures).map_or(
        Value::Null,
        |it| json!({ "median": it.median, "min": it.min, "max": it.max, "runs": figures }),
    )
}

fn machine() -> Value {
    let first_line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processors
        .lines()
        .find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim()));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    json!({
        "version": concat!("agi-bridge ", env!("CARGO_PKG_VERSION")),
        "haproxy": hops::haproxy_version().unwrap_or_else(|| {
            "not installed, its column is empty (Debian: apt-get install haproxy)".to_owned()
        }),
        "kernel": first_line("/proc/sys/kernel/osrelease"),
        "cores": cores.to_string(),
        "processor": processor.unwrap_or("unknown"),
    })
}

/// What the rest of the machine did meanwhile, in percent of one core: the median over all measurements.
fn elsewhere(results: &Results) -> f64 {
    let shares: Vec<f64> = (results.outcomes.values().flatten())
        .map(|outcome| outcome.elsewhere_ns as f64 / 1e7 / outcome.seconds)
        .collect();
    Spread::of(&shares).map_or(0.0, |it| it.median)
}

/// Three or four digits that matter.
fn short(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}
