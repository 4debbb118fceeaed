//! The file as it is written: every key, its type and its range. The JSON Schema comes from these declarations, and so does every
//! fault of structure. Nothing here depends on another key: that is for `check`.

#[cfg(test)]
use super::read::{described, section_schema};
use super::{
    many::{List, Names, OneOrMany},
    pattern::{AgiCommand, Pattern},
    read::{Field, Fields, Read, Reader, Section, read_section, section},
    reference::{DirectoryPath, DnsName, FilePath, Jwks, ManagerAddress, SecretText, WorkerGroup},
    service_url::ServiceUrl,
    tree::{Node, Value},
    value::{Choice, Flag, Listen, Name, Network, Number, Size, Span, Text, Word},
    {LogFormat, LogLevel},
};
use crate::{admin::Right, route::Pattern as PathPattern, telemetry::otlp::Protocol};
use jsonwebtoken::Algorithm;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long a session may last.
pub(super) type CallSpan = Span<SECOND, { 30 * DAY }>;

section! {
    /// The configuration of agi-bridge.
    struct File {
        /// Where Asterisk connects, and what is accepted of it.
        agi: Agi;
        /// The admin port.
        admin: Admin;
        /// Where workers dial in.
        api: Api;
        /// Whose JWTs are taken: one issuer, or a list.
        jwt: OneOrMany<JwtIssuer>;
        /// How the bridge stops.
        shutdown: Shutdown;
        /// Logs.
        log: Log;
        /// Traces and metrics.
        telemetry: Telemetry;
        /// What is kept of calls, for the console and `agi-bridge calls`.
        recorder: Recorder;
        /// Where transcripts of calls are kept, for routes with `record`.
        transcripts: Transcripts;
        /// How calls are treated; each of these keys may also stand on a route.
        defaults: Treatment;
        /// Which service gets a call. The first route that fits gets it.
        routes: List<Route>, required;
        /// The Asterisks whose managers the bridge logs in to.
        managers: List<Manager>;
    }
}

section! {
    /// Where Asterisk connects, and what is accepted of it.
    struct Agi {
        /// Addresses to listen on for FastAGI: one, or a list. Default 0.0.0.0:4573. A change needs a restart.
        listen: OneOrMany<Listen>;
        /// Networks that may connect: AGI has no authentication. Default: loopback and the private ranges of IPv4 and IPv6.
        allow: OneOrMany<Network>;
        /// Calls at once; one more is turned away at once, so that the dialplan goes on. Default 10000.
        max_calls: Number<1, 1_000_000>;
        /// Calls at once of one peer, which is an address of an Asterisk. Default: as many as `max_calls`.
        max_calls_per_peer: Number<1, 1_000_000>;
        /// New calls a second, as many of which may come at once. Default: no limit.
        calls_per_second: Number<1, 1_000_000>;
        /// New calls a second of one peer, as many of which may come at once. Default: no limit.
        calls_per_second_per_peer: Number<1, 1_000_000>;
        /// Networks of balancers: each connection from these must begin with a header of the PROXY protocol, version 2, which says who the peer is. Default: none.
        proxy_protocol: OneOrMany<Network>;
        /// How long Asterisk may take to say what the call is. Default 5s.
        prelude_timeout: Span<100, MINUTE>;
        /// The longest session; no route has a longer one. Default 12h.
        max_call_duration: CallSpan;
        /// The longest line that Asterisk takes, in bytes: 8190 (the default), or 2046 for old releases.
        line_bytes_max: Number<1022, 8190>;
        /// Threads that carry calls. Default: one for each core. A change needs a restart.
        cores: Number<1, 1024>;
    }
}

section! {
    /// The admin port.
    struct Admin {
        /// Address to listen on. Default 127.0.0.1:4574. A change needs a restart.
        listen: Listen;
        /// Unset: plain text. A change needs a restart; files that change do not.
        tls: ServerTls;
        /// Must be shown by whoever changes something over the admin port; as an entry of `access` with `may: change`.
        token: SecretText;
        /// Who may do what.
        access: List<AccessEntry>;
        /// What needs no credential: `see` (calls, without numbers, and all below; the default), `metrics`, or `nothing`. Probes never need one.
        everybody: Word<Open>;
    }
}

section! {
    /// Lets whoever shows the token, the certificate or the JWT do something over the admin port.
    struct AccessEntry {
        /// `metrics`; `see`: calls too, without numbers and what is masked; or `change`: all.
        may: Word<Right>, required;
        with demand: Demand;
    }
}

section! {
    /// An issuer whose JWTs are taken.
    struct JwtIssuer {
        /// The claim `iss`, letter by letter.
        issuer: Text, required;
        /// Of these names, usually one, the claim `aud` must have one.
        audience: OneOrMany<Text>, required;
        /// Its public keys, as a JWKS: an `https://` or `http://` URL, or a file's name.
        jwks: Jwks, required;
        /// PEM file with the authorities to trust for the URL. Default: the system's.
        ca: FilePath;
        /// What its tokens may be signed by: one, or a list. Default: all that are known here.
        algorithms: OneOrMany<Word<Algorithm>>;
        /// How often its keys are read. Default 5m.
        refresh: Span<{ 10 * SECOND }, DAY>;
        /// How long the keys that were read last serve while they cannot be read again. Default 1d.
        keep_for: Span<MINUTE, { 30 * DAY }>;
    }
}

section! {
    /// Where workers dial in, by gRPC and by WebSocket.
    struct Api {
        /// Address to listen on. Default: none, and no worker can dial in. A change needs a restart.
        listen: Listen;
        /// Unset: plain text. A change needs a restart; files that change do not.
        tls: ServerTls;
        /// How often a worker is asked whether it is there, and proxies on the way shown that its stream is in use. Default 20s. A
        /// change needs a restart.
        heartbeat: Span<SECOND, { 10 * MINUTE }>;
        /// Who may register for which group. Default: nobody.
        workers: List<WorkerEntry>;
        /// Who may start calls, send actions and watch events, and which. Default: nobody.
        clients: List<ClientEntry>;
    }
}

section! {
    /// How clients see who the bridge is, and how it checks who they are.
    struct ServerTls {
        /// PEM file with the bridge's certificate chain.
        cert: FilePath, required;
        /// PEM file with the bridge's private key.
        key: FilePath, required;
        /// PEM file with the authorities of the clients' certificates. Default: no certificate is asked for.
        client_ca: FilePath;
    }
}

section! {
    /// Lets whoever shows the token, the certificate or the JWT use the Asterisks of `managers`. In each list `*` stands for anything.
    struct ClientEntry {
        /// Unique. Stands in logs; request ids are each client's own.
        name: Name, required;
        /// Asterisks, as `managers` names them. Default: every one.
        servers: OneOrMany<Text>;
        /// Actions that it may send. `*` does not stand for those that reach beyond calls, as Command and UpdateConfig: name them. Default: none.
        actions: OneOrMany<Text>;
        /// Events that it may watch. Default: none.
        events: OneOrMany<Text>;
        /// Calls that it may start. Default: none.
        originate: ClientOriginate;
        /// Lets whoever has a URL that is signed in this client's name make the call that stands in it: `GET /v1/originate?…`. Default: no URL counts.
        signed_urls: SignedUrls;
        /// Requests a second. Default 100.
        rate: Number<1, 100_000>;
        /// Requests that may run at once. Default 200.
        running: Number<1, 100_000>;
        /// Streams of events at once. Default 16.
        watches: Number<1, 10_000>;
        with demand: Demand;
    }
}

section! {
    /// How URLs are signed, by HMAC-SHA256.
    struct SignedUrls {
        /// Known to whoever makes the URLs, and to nobody who gets one. 16 characters or more.
        secret: SecretText, required;
    }
}

section! {
    /// Calls that a client may start. In each list `*` stands for anything.
    struct ClientOriginate {
        /// Whom it may call, as `PJSIP/32*`. Default: nobody.
        channels: OneOrMany<Text>;
        /// Contexts of the dialplan where such a call may go on. Default: none.
        contexts: OneOrMany<Text>;
        /// Paths of this bridge's routes where it may go on, with their query. Default: none.
        routes: OneOrMany<Text>;
        /// Applications that it may run. `*` does not stand for those that run programs, as System and AGI: name them. Default: none.
        applications: OneOrMany<Text>;
        /// Functions of the dialplan that variables and data may call. `*` does not stand for those that reach beyond the call, as SHELL and FILE: name them. Default: none.
        functions: OneOrMany<Text>;
    }
}

section! {
    /// Lets whoever shows the token, the certificate or the JWT register for the groups; with none of them: anybody.
    struct WorkerEntry {
        /// Groups, as routes name them in `worker://group`: one, or a list. `"*"`: every group.
        groups: OneOrMany<WorkerGroup>, required;
        with demand: Demand;
    }
}

section! {
    /// What a client must show; at most one of these. With none of them: anybody.
    struct Demand {
        /// What it must show as `authorization: Bearer …`.
        token: SecretText;
        /// The DNS name for which its client certificate must be valid.
        certificate: DnsName;
        /// What must stand in a JWT that it shows as `authorization: Bearer …`: names of claims, and for each a value, or a list of which one must hold. A name that begins with `/` is a JSON pointer.
        jwt: Names<OneOrMany<Text>>;
    }
}

section! {
    /// How the bridge stops.
    struct Shutdown {
        /// How long running calls may go on after SIGTERM. Default 1h.
        drain_timeout: Span<0, { 7 * DAY }>;
        /// How long new connections are sent back to the dialplan before listening stops. Default 5s.
        linger: Span<0, { 5 * MINUTE }>;
    }
}

section! {
    /// Logs, written to standard error.
    struct Log {
        /// One JSON object a line (json, the default), or lines for people (text).
        format: Word<LogFormat>;
        /// The least important level that is written. Default info.
        level: Word<LogLevel>;
    }
}

section! {
    /// Traces and metrics: what is recorded of calls, and where it goes. The `OTEL_*` variables win over these. A change needs a restart.
    struct Telemetry {
        /// The OpenTelemetry collector, such as `http://collector:4317`. Default: none, and no trace is recorded.
        otlp_endpoint: Text;
        /// What is spoken there: `grpc` (the default), or `http/protobuf`.
        otlp_protocol: Word<Protocol>;
        /// Headers for each request to it.
        otlp_headers: Names<SecretText>;
        /// Whether metrics go there too, beside `/metrics`. Default true.
        otlp_metrics: Flag;
        /// Whether the numbers of callers stand in traces. Default false.
        caller_numbers: Flag;
    }
}

section! {
    /// What is kept of calls, in memory.
    struct Recorder {
        /// Calls that have ended, the newest; `0`: nothing is kept, of running calls neither. Default 200.
        calls: Number<0, 100_000>;
        /// What these may take in all; older ones go first. Default 16MiB.
        bytes: Size<65_536, 1_073_741_824>;
    }
}

section! {
    /// Where transcripts of calls are kept.
    struct Transcripts {
        /// The folder, made when it is not there; no other bridge may write to it.
        directory: DirectoryPath, required;
        /// Transcripts in it; the oldest one goes for a new one. Default 1000.
        calls: Number<1, 1_000_000>;
        /// What they may take in all; the oldest ones go. Default 256MiB.
        bytes: Size<65_536, 1_099_511_627_776>;
        /// What one of them may take; what follows is not recorded. Default 256KiB.
        call_bytes: Size<1024, 16_777_216>;
    }
}

section! {
    /// How calls are treated.
    struct Treatment {
        /// For one attempt to reach a service: connect, handshake and acceptance. Default 1s.
        connect_timeout: Span<10, MINUTE>;
        /// For all attempts before a service took the call. Default 3s.
        retry_for: Span<10, { 5 * MINUTE }>;
        /// After so long without a service, `quiet` is played. Default 2s.
        quiet_limit: Span<0, { 5 * MINUTE }>;
        /// What the caller hears after `quiet_limit`: `silence` (the default), `ringing`, `music`, or `{music: class}`.
        quiet: Quiet;
        /// How long a lost call is kept for another service; `0s`: not at all. Default 10s.
        resume_for: Span<0, { 10 * MINUTE }>;
        /// How often a call is resumed within a minute; then it is treated as lost for good. Default 6.
        resumes_per_minute: Number<1, 60>;
        /// Results kept for a service that resumes the call. Default 32.
        journal_results: Number<0, 1024>;
        /// The largest checkpoint of a service. Default 64KiB.
        checkpoint_limit: Size<0, 1_048_576>;
        /// How long a service may go on after the caller is gone. Default 10s.
        hangup_grace: Span<0, { 10 * MINUTE }>;
        /// A stream with no event for so long gets a heartbeat. Default 20s.
        heartbeat: Span<SECOND, { 10 * MINUTE }>;
        /// Commands that a service may have unanswered at once. Default 32.
        max_queued_commands: Number<1, 1024>;
        /// The longest session. Default: `agi.max_call_duration`, which it may not exceed.
        max_call_duration: CallSpan;
        /// Whether `agi://` and `exec:` services get the trace as one more argument, `traceparent=00-…`. Default false.
        trace_argument: Flag;
        /// Whether a trace goes on that the channel variable TRACEPARENT names; costs each call a round trip to Asterisk. Default false.
        trace_variable: Flag;
        /// Whether the service is told of every digit that the caller presses, also while no command asks; needs `managers`. Default false.
        digits: Flag;
        /// What becomes of a call that no service drives to its end. Default {next: fail}.
        then: Then;
        /// What the flight recorder, the console and transcripts never show: `digits`, `values`, `numbers`, a list of these, `all` or `nothing`. Default [digits, values].
        redact: OneOrMany<Word<RedactWord>>;
        /// Whether a transcript of each call is written to the folder of `transcripts`. Default false.
        record: Flag;
        /// What services may have Asterisk do. What `allow` names may be used; else what `deny` names may not; else all may but what reaches Asterisk's own machine. On a route it stands for the whole of the one in `defaults`.
        policy: CommandPolicy;
        /// Calls at once that came in by the route. Default: as many as `agi.max_calls`.
        max_calls: Number<1, 1_000_000>;
        /// New calls a second of the route, as many of which may come at once. Default: no limit.
        calls_per_second: Number<1, 1_000_000>;
    }
}

section! {
    /// What services may have Asterisk do.
    struct CommandPolicy {
        /// What may be used, whatever else is said.
        allow: PolicyNames;
        /// What may not be used.
        deny: PolicyNames;
    }
}

section! {
    /// Names, in any case, in which `*` stands for any text and `?` for one character.
    struct PolicyNames {
        /// AGI commands, such as `SET CONTEXT` or `"DATABASE *"`.
        commands: OneOrMany<AgiCommand>;
        /// Applications of EXEC, such as `Playback`.
        applications: OneOrMany<Pattern>;
        /// Dialplan functions, such as `SHELL`, without brackets.
        functions: OneOrMany<Pattern>;
        /// Channel variables.
        variables: OneOrMany<Pattern>;
        /// What Dial, RetryDial, Page, Originate and ChanIsAvail call, such as `"PJSIP/3???"`.
        dial: OneOrMany<Pattern>;
    }
}

section! {
    /// A rule that sends a call to a service.
    struct Route {
        /// Unique; stands in logs, metrics and `agi-bridge dialplan`.
        name: Name, required;
        /// The path of the AGI URL: `/fixed`, `/support/{queue}`, and, for all, `/{*rest}`.
        path: Path, required;
        /// What else must be so.
        when: When;
        /// Where calls go. Without weights they are tried in this order; with weights they share the calls.
        services: List<Service>, required;
        with treatment: Treatment;
    }
}

section! {
    /// Conditions on a call, all of which must be met.
    struct When {
        /// Dialplan context.
        context: Text;
        /// Dialplan extension.
        extension: Text;
        /// The number that was dialled (DNID).
        dialed_number: Text;
        /// Account code of the channel.
        account_code: Text;
        /// Query parameters of the AGI URL, and the values they must have.
        query: Names<Text>;
    }
}

section! {
    /// A remote program that drives calls.
    struct Service {
        /// Where it is.
        url: ServiceUrl, required;
        /// Share of the route's calls; 0: only after all others. Either every service of a route has a weight, or none has.
        weight: Number<0, 1_000_000>;
        /// Sent as `authorization: Bearer …`.
        token: SecretText;
        /// Further metadata for every stream.
        headers: Names<SecretText>;
        /// For `grpcs://` and `wss://`.
        tls: Tls;
        /// Calls that one connection of `grpc://` carries at most. Default 100.
        max_streams_per_connection: Number<1, 10_000>;
        /// Finds dead connections.
        keepalive: Keepalive;
        /// Of an `exec:` script: how many of it run at once, over all calls. Default 100.
        max_processes: Number<1, 100_000>;
    }
}

section! {
    /// An Asterisk, and how the bridge logs in to its manager.
    struct Manager {
        /// Unique; stands in logs, metrics and requests.
        name: Name, required;
        /// Its manager port. Without a port: 5038.
        address: ManagerAddress, required;
        /// The section of manager.conf.
        username: Text, required;
        /// The `secret` there.
        secret: SecretText, required;
        /// Unset: plain text. `{}`: TLS, and the system's authorities.
        tls: Tls;
        /// Whether the secret itself is sent without TLS, where Asterisk gives no challenge for it. Default false.
        plain_login: Flag;
        /// Whether the calls that `AGI(agi:async,/path)` begins there come to the bridge, over the link. Default false.
        async_agi: Flag;
    }
}

section! {
    /// How the other side of a TLS connection is checked, and how the bridge shows who it is.
    struct Tls {
        /// PEM file with the authorities to trust. Default: the system's.
        ca: FilePath;
        /// PEM file with the bridge's certificate chain; together with `key`.
        cert: FilePath;
        /// PEM file with the bridge's private key; together with `cert`.
        key: FilePath;
        /// The name that the other side's certificate must carry. Default: the host that is dialled.
        server_name: Text;
    }
}

section! {
    /// Finds dead connections.
    struct Keepalive {
        /// `grpc://`: a ping after so long without traffic on a connection that has calls, default 30s. `ws://`: a ping each time so long has passed, default 20s.
        interval: Span<SECOND, HOUR>;
        /// The connection is dead when a ping is not answered for so long. Default 10s.
        timeout: Span<100, { 5 * MINUTE }>;
    }
}

section! {
    /// What becomes of a call that no service drives to its end.
    struct Then {
        /// A sound file to play first, without its ending.
        announce: Text;
        /// Then: `fail` (AGISTATUS=FAILURE, the dialplan goes on; the default), `continue` (AGISTATUS=SUCCESS), or `hangup`.
        next: Word<NextWord>;
        /// Then: the dialplan goes on here. Stands instead of `next`.
        goto: Goto;
    }
}

section! {
    /// A place in the dialplan.
    struct Goto {
        /// Context.
        context: Text, required;
        /// Extension.
        extension: Text, required;
        /// Priority. Default 1.
        priority: Number<1, 1_000_000>;
    }
}

section! {
    /// Music on hold.
    struct Music {
        /// Class of the music.
        music: Text, required;
    }
}

/// `next`, as far as it is one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextWord {
    Fail,
    Continue,
    Hangup,
}

/// What needs no credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open(pub(super) Option<Right>);

impl Choice for Open {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("nothing", Self(None)),
        ("metrics", Self(Some(Right::Metrics))),
        ("see", Self(Some(Right::See))),
    ];
}

impl Choice for Right {
    const WORDS: &'static [(&'static str, Self)] =
        &[("metrics", Self::Metrics), ("see", Self::See), ("change", Self::Change)];
}

impl Choice for Algorithm {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("RS256", Self::RS256),
        ("RS384", Self::RS384),
        ("RS512", Self::RS512),
        ("PS256", Self::PS256),
        ("PS384", Self::PS384),
        ("PS512", Self::PS512),
        ("ES256", Self::ES256),
        ("ES384", Self::ES384),
        ("EdDSA", Self::EdDSA),
    ];
}

/// A class of text that is kept back, or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RedactWord {
    Digits,
    Values,
    Numbers,
    All,
    Nothing,
}

impl Choice for RedactWord {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("digits", Self::Digits),
        ("values", Self::Values),
        ("numbers", Self::Numbers),
        ("all", Self::All),
        ("nothing", Self::Nothing),
    ];
}

impl Choice for NextWord {
    const WORDS: &'static [(&'static str, Self)] =
        &[("fail", Self::Fail), ("continue", Self::Continue), ("hangup", Self::Hangup)];
}

impl Choice for Protocol {
    const WORDS: &'static [(&'static str, Self)] =
        &[("grpc", Self::Grpc), ("http/protobuf", Self::HttpProtobuf)];
}

impl Choice for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("json", Self::Json), ("text", Self::Text)];
}

impl Choice for LogLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

/// `quiet`.
#[derive(Debug)]
pub(super) struct Quiet(pub(super) crate::route::Quiet);

#[derive(Debug, Clone, Copy)]
enum QuietWord {
    Silence,
    Ringing,
    Music,
}

impl Choice for QuietWord {
    const WORDS: &'static [(&'static str, Self)] =
        &[("silence", Self::Silence), ("ringing", Self::Ringing), ("music", Self::Music)];
}

impl Read for Quiet {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        use crate::route::Quiet;
        if matches!(node.value, Value::Map(_)) {
            let Music { music } = read_section(node, path, reader)?;
            return music.value.map(|Text(class)| Self(Quiet::Music(class)));
        }
        Word::read(node, path, reader).map(|Word(word)| match word {
            QuietWord::Silence => Self(Quiet::Silence),
            QuietWord::Ringing => Self(Quiet::Ringing),
            QuietWord::Music => Self(Quiet::Music(String::new())),
        })
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        serde_json::json!({"anyOf": [Word::<QuietWord>::schema(), Music::schema()]})
    }
}

/// The path of a route.
#[derive(Debug)]
pub(super) struct Path(pub(super) PathPattern);

impl Read for Path {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let given = super::read::text(node, path, "a path such as `/support/{queue}`", reader)?;
        match PathPattern::new(given) {
            Ok(pattern) => Some(Self(pattern)),
            Err(error) => reader.unfit(node, path, format!("`{given}`: {error}")),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "pattern": "^/[^?#]*$"})
    }
}
