//! From the file as written to the checked configuration: defaults are filled in, and what depends on more than one key is checked.

mod admin;
mod api;
mod credential;
mod managers;
mod policy;
mod routes;
mod telemetry;

use super::{
    AgiConfig, Config, LogConfig, LogFormat, LogLevel, ShutdownConfig,
    file::{self, File},
    many::OneOrMany,
    read::{Field, Reader},
    value::{Listen, Network, Word},
};
use crate::{archive, session::recorder};
use ipnet::IpNet;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Loopback, private and link-local ranges.
const PRIVATE: [&str; 9] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

/// `None` when the file has faults, told to `reader`; more may have been told where there was a part to check.
pub(super) fn check(
    file: File,
    environment: Vec<(String, String)>,
    reader: &mut Reader,
) -> Option<Config> {
    let agi = agi(&file.agi, reader);
    let admin = admin::admin(&file.admin, &agi, &file.jwt, reader);
    let api = api::api(&file.api, &agi, &admin, &file.jwt, reader);
    let jwt = credential::issuers(&file.jwt, reader);
    let shutdown = file.shutdown.value.as_ref();
    let shutdown = ShutdownConfig {
        drain_timeout: shutdown
            .and_then(|it| span(&it.drain_timeout))
            .unwrap_or(Duration::from_secs(3600)),
        linger: shutdown.and_then(|it| span(&it.linger)).unwrap_or(Duration::from_secs(5)),
    };
    let log = file.log.value.as_ref();
    let log = LogConfig {
        format: log.and_then(|it| word(&it.format)).unwrap_or(LogFormat::Json),
        level: log.and_then(|it| word(&it.level)).unwrap_or(LogLevel::Info),
    };
    let telemetry = telemetry::telemetry(&file.telemetry, environment, reader);
    let recorder = file.recorder.value.as_ref();
    let standard = recorder::Limits::default();
    let recorder = recorder::Limits {
        calls: recorder
            .and_then(|it| it.calls.value.as_ref())
            .map_or(standard.calls, |it| it.to_usize()),
        bytes: recorder.and_then(|it| it.bytes.value.as_ref()).map_or(standard.bytes, |it| it.0),
    };
    let managers = managers::managers(&file, reader);
    let transcripts = transcripts(&file.transcripts, reader);
    let routes = routes::table(&file, agi.max_call_duration, &api, reader)?;
    let config = Config {
        agi,
        admin,
        api,
        jwt,
        shutdown,
        log,
        telemetry,
        recorder,
        transcripts,
        routes,
        managers,
    };
    reader.faults.is_empty().then_some(config)
}

fn transcripts(field: &Field<file::Transcripts>, reader: &mut Reader) -> Option<archive::Settings> {
    let written = field.value.as_ref()?;
    let bytes = written.bytes.value.as_ref().map_or(256 * 1024 * 1024, |it| it.0);
    let call_bytes = written.call_bytes.value.as_ref().map_or(256 * 1024, |it| it.0);
    if call_bytes > bytes {
        let (call, all) = (&written.call_bytes, &written.bytes);
        let at = if call.present { &call.spot } else { &all.spot };
        reader.fault(at, "transcripts.call_bytes is more than transcripts.bytes");
    }
    Some(archive::Settings {
        directory: written.directory.value.as_ref()?.0.clone(),
        calls: written.calls.value.as_ref().map_or(1000, |it| it.to_usize()),
        bytes,
        call_bytes,
    })
}

fn agi(field: &Field<file::Agi>, reader: &mut Reader) -> AgiConfig {
    let agi = field.value.as_ref();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    AgiConfig {
        listen: agi.map_or_else(default_listen, |it| listen(it, reader)),
        allow: agi.map_or_else(private, allow),
        max_calls: agi
            .and_then(|it| it.max_calls.value.as_ref())
            .map_or(10_000, |it| it.to_usize()),
        max_calls_per_peer: agi
            .and_then(|it| it.max_calls_per_peer.value.as_ref())
            .map(|it| it.to_usize()),
        calls_per_second: agi
            .and_then(|it| it.calls_per_second.value.as_ref())
            .map(|it| it.to_u32()),
        calls_per_second_per_peer: agi
            .and_then(|it| it.calls_per_second_per_peer.value.as_ref())
            .map(|it| it.to_u32()),
        proxy_protocol: agi.map_or_else(Vec::new, |it| networks(&it.proxy_protocol)),
        prelude_timeout: agi
            .and_then(|it| span(&it.prelude_timeout))
            .unwrap_or(Duration::from_secs(5)),
        max_call_duration: agi
            .and_then(|it| span(&it.max_call_duration))
            .unwrap_or(Duration::from_secs(12 * 3600)),
        line_bytes_max: agi
            .and_then(|it| it.line_bytes_max.value.as_ref())
            .map_or(8190, |it| it.to_usize()),
        cores: agi.and_then(|it| it.cores.value.as_ref()).map_or(cores, |it| it.to_usize()),
    }
}

fn default_listen() -> Vec<SocketAddr> {
    vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 4573))]
}

fn listen(agi: &file::Agi, reader: &mut Reader) -> Vec<SocketAddr> {
    let Some(listed) = &agi.listen.value else { return default_listen() };
    let mut taken: Vec<SocketAddr> = Vec::new();
    for field in &listed.0 {
        let Some(Listen(address)) = field.value else { continue };
        if let Some(other) = taken.iter().find(|other| overlap(**other, address)) {
            reader.fault(&field.spot, format!("`{address}` is taken by `{other}` of this list"));
        }
        taken.push(address);
    }
    taken
}

/// Whether two listeners would share connections. Port 0 is each time another one.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port()
        && one.port() != 0
        && one.is_ipv4() == other.is_ipv4()
        && (everywhere || one.ip() == other.ip())
}

fn allow(agi: &file::Agi) -> Vec<IpNet> {
    if agi.allow.value.is_some() { networks(&agi.allow) } else { private() }
}

fn networks(field: &Field<OneOrMany<Network>>) -> Vec<IpNet> {
    let listed = field.value.iter().flat_map(|listed| &listed.0);
    listed.filter_map(|field| field.value.as_ref()).map(|Network(network)| *network).collect()
}

fn private() -> Vec<IpNet> {
    PRIVATE.iter().map(|text| text.parse().expect("the list holds networks")).collect()
}

fn span<const MIN: u64, const MAX: u64>(
    field: &Field<super::value::Span<MIN, MAX>>,
) -> Option<Duration> {
    field.value.as_ref().map(|span| span.0)
}

fn word<T: Copy>(field: &Field<Word<T>>) -> Option<T> {
    field.value.as_ref().map(|word| word.0)
}
