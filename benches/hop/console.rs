//! Whoever looks at a bridge over its admin port: consoles that are open, or somebody who asks for the list of calls and, in
//! turn, for the page of metrics. Knows nothing of what either says, but how many calls there are.

use crate::host;
use serde::{Deserialize, Serialize};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

/// What to do, as JSON on the command line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Look {
    pub(crate) admin: SocketAddr,
    /// Streams of events that are open until this is stopped, each of the list of calls.
    pub(crate) consoles: usize,
    /// How often the list and the metrics are asked for, once so many calls are there.
    pub(crate) asks: usize,
    pub(crate) calls: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Looked {
    /// From the connection to the last byte, the median.
    pub(crate) list_ns: u64,
    pub(crate) metrics_ns: u64,
    /// Of the last answers.
    pub(crate) list_bytes: usize,
    pub(crate) metrics_bytes: usize,
}

/// A bridge with thousands of calls may take its time for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two askings.
const PAUSE: Duration = Duration::from_millis(10);
/// How often it is looked whether the calls are there.
const POLL: Duration = Duration::from_millis(50);
/// As one page of the console.
const LIST: &str = "/calls?limit=50";

/// Plays the role: says `ready` once the consoles have their first event, and how long the answers took.
pub(crate) fn main(task: &[String]) -> anyhow::Result<()> {
    let text = task.first().ok_or_else(|| anyhow::anyhow!("this role needs a look"))?;
    let look: Look = serde_json::from_str(text)?;
    let mut consoles = Vec::with_capacity(look.consoles);
    for _ in 0..look.consoles {
        let mut stream = ask(look.admin, "/events?of=calls&limit=50")?;
        let mut first = [0; 1024];
        let count = stream.read(&mut first)?;
        let status = String::from_utf8_lossy(first.get(..count).unwrap_or_default()).into_owned();
        anyhow::ensure!(status.starts_with("HTTP/1.1 200"), "no stream of events: {status:?}");
        consoles.push(stream);
    }
    host::say("ready")?;
    if look.asks > 0 {
        host::say(&serde_json::to_string(&asked(&look)?)?)?;
    }
    let readers: Vec<_> =
        consoles.into_iter().map(|stream| thread::spawn(move || read(stream))).collect();
    for reader in readers {
        reader.join().map_err(|_| anyhow::anyhow!("a console broke"))?;
    }
    Ok(())
}

/// Reads events as they come, until the bridge or this process ends.
fn read(mut stream: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    if stream.set_read_timeout(None).is_ok() {
        while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this process has one thread, and it only waits here"
)]
fn asked(look: &Look) -> anyhow::Result<Looked> {
    let active = format!("\"active\":{},", look.calls);
    let begun = Instant::now();
    while !String::from_utf8_lossy(&answer(look.admin, LIST)?.0).contains(&active) {
        anyhow::ensure!(begun.elapsed() < PATIENCE * 3, "the calls never came");
        thread::sleep(POLL);
    }
    let (mut lists, mut metrics) = (Vec::new(), Vec::new());
    let mut looked = Looked::default();
    for _ in 0..look.asks {
        let (list, time) = answer(look.admin, LIST)?;
        anyhow::ensure!(
            String::from_utf8_lossy(&list).contains(&active),
            "the calls were gone before they were listed"
        );
        lists.push(time);
        let (page, time) = answer(look.admin, "/metrics")?;
        metrics.push(time);
        (looked.list_bytes, looked.metrics_bytes) = (list.len(), page.len());
        thread::sleep(PAUSE);
    }
    (looked.list_ns, looked.metrics_ns) = (median(lists), median(metrics));
    Ok(looked)
}

fn answer(admin: SocketAddr, path: &str) -> anyhow::Result<(Vec<u8>, Duration)> {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    ask(admin, path)?.read_to_end(&mut bytes)?;
    anyhow::ensure!(bytes.starts_with(b"HTTP/1.1 200"), "{path} is not answered");
    Ok((bytes, begun.elapsed()))
}

fn ask(admin: SocketAddr, path: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&admin, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")?;
    Ok(stream)
}

fn median(mut times: Vec<Duration>) -> u64 {
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    u64::try_from(middle.as_nanos()).unwrap_or(u64::MAX)
}
