//! The two hops that are compared: how each is configured and started. Both get the same cores and the same peers'
//! address, and neither gets anything that its makers do not give it by default.

use crate::{
    cli::Role,
    process::{self, Running},
};
use anyhow::Context;
use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};
use tokio::{process::Command, time};

/// Where Debian puts it; `/usr/sbin` is in few people's PATH.
const HAPROXY_PLACES: [&str; 2] = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"];

const START_TIMEOUT: Duration = Duration::from_secs(10);
const START_POLL: Duration = Duration::from_millis(20);

/// A hop that runs.
pub(crate) struct Hop {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    /// Where workers and clients dial in, if they may.
    pub(crate) api: Option<SocketAddr>,
    /// Where it is looked at, if it can be.
    pub(crate) admin: Option<SocketAddr>,
}

/// What a bridge is given besides.
pub(crate) struct Bridging<'a> {
    pub(crate) program: &'a Path,
    /// The service of its one route, as the configuration says it.
    pub(crate) service: String,
    /// Further sections of it.
    pub(crate) sections: String,
}

/// What both are given.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// For configuration and logs; of its own for each.
    pub(crate) folder: &'a Path,
    /// Only this core, or all.
    pub(crate) cpu: Option<usize>,
    /// How many cores that is.
    pub(crate) cores: usize,
    /// Descriptors that a process may hold.
    pub(crate) descriptors: u64,
}

/// HAProxy's first line of `-v`; `None` when it is not installed.
pub(crate) fn haproxy_version() -> Option<String> {
    let output = std::process::Command::new(haproxy()?).arg("-v").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
}

/// HAProxy in TCP mode before `server`. `None` when it is not installed.
pub(crate) async fn start_haproxy(
    place: Place<'_>,
    server: SocketAddr,
) -> anyhow::Result<Option<Hop>> {
    let Some(program) = haproxy() else { return Ok(None) };
    let address = free_address()?;
    // Two descriptors a call, and some for itself.
    let calls = (place.descriptors.saturating_sub(200) / 2).min(30_000);
    let text = format!(
        "global\n  nbthread {}\n  maxconn {calls}\n\ndefaults\n  mode tcp\n  timeout connect 5s\n  \
         timeout client 1h\n  timeout server 1h\n\nfrontend agi\n  bind {address}\n  \
         default_backend servers\n\nbackend servers\n  server direct {server}\n",
        place.cores
    );
    let config = place.folder.join("haproxy.cfg");
    fs::write(&config, text)?;
    let log = place.folder.join("haproxy.log");
    let arguments = [OsStr::new("-db"), OsStr::new("-f"), config.as_os_str()];
    let running = start(place, OsStr::new(program), &arguments, &log)?;
    wait_for(running, &log, || TcpStream::connect(address).ok().map(|_| (address, [None, None])))
        .await
        .map(Some)
}

/// agi-bridge before a service.
pub(crate) async fn start_bridge(place: Place<'_>, bridging: Bridging<'_>) -> anyhow::Result<Hop> {
    let Bridging { program, service, sections } = bridging;
    let text = format!(
        "agi: {{listen: \"127.0.0.1:0\"}}\nadmin: {{listen: \"127.0.0.1:0\"}}\n{sections}\
         log: {{format: json, level: info}}\n\
         routes:\n  - {{name: bench, path: \"/{{*rest}}\", services: [{service}]}}\n"
    );
    let config = place.folder.join("agi-bridge.yaml");
    fs::write(&config, text)?;
    // Not beside the configuration: its folder is watched.
    let logs = place.folder.join("logs");
    fs::create_dir_all(&logs)?;
    let log = logs.join("agi-bridge.log");
    let arguments = [OsStr::new("serve"), OsStr::new("--config"), config.as_os_str()];
    let running = start(place, program.as_os_str(), &arguments, &log)?;
    let hop = wait_for(running, &log, || listening(&fs::read_to_string(&log).ok()?)).await;
    hop.with_context(|| format!("starting {}", program.display()))
}

fn haproxy() -> Option<&'static str> {
    HAPROXY_PLACES.into_iter().find(|place| Path::new(place).exists())
}

fn start(
    place: Place<'_>,
    program: &OsStr,
    arguments: &[&OsStr],
    log: &Path,
) -> anyhow::Result<Running> {
    // A file, and no pipe: reading what it says must not take time from it.
    let file = File::create(log)?;
    let mut command: Command = process::role(Role::Exec, place.cpu)?;
    // What is meant for tests and this bench must not be taken for configuration of the bridge.
    let own = env::vars_os().map(|(name, _)| name);
    for name in own.filter(|name| name.to_string_lossy().starts_with("AGIBRIDGE_")) {
        command.env_remove(name);
    }
    command.arg(program).args(arguments).stdout(file.try_clone()?).stderr(file);
    Running::start(command, false)
}

async fn wait_for(
    mut running: Running,
    log: &Path,
    addresses: impl Fn() -> Option<(SocketAddr, [Option<SocketAddr>; 2])>,
) -> anyhow::Result<Hop> {
    let deadline = Instant::now() + START_TIMEOUT;
    while Instant::now() < deadline && !running.has_ended() {
        if let Some((address, [api, admin])) = addresses() {
            return Ok(Hop { running, address, api, admin });
        }
        time::sleep(START_POLL).await;
    }
    let said = fs::read_to_string(log).unwrap_or_default();
    running.stop().await;
    let last: Vec<&str> = said.lines().rev().take(5).collect();
    anyhow::bail!("it does not listen; its last words were: {last:?}")
}

/// The addresses in the bridge's event `listening`: for Asterisk; for workers, and for admins.
fn listening(log: &str) -> Option<(SocketAddr, [Option<SocketAddr>; 2])> {
    let events =
        log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    events.into_iter().find_map(|event| {
        let fields = event.get("fields").unwrap_or(&event);
        (fields.get("message")?.as_str()? == "listening").then_some(())?;
        let others = ["api", "admin"].map(|name| fields.get(name)?.as_str()?.parse().ok());
        Some((fields.get("agi")?.as_str()?.parse().ok()?, others))
    })
}

/// Free a moment ago: for who cannot be asked which port it took.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
