//! The configuration in force, as YAML in the form of the file: every default filled in, secrets masked.

use super::{
    AdminConfig, AgiConfig, ApiConfig, Config, LogConfig,
    file::{NextWord, Open},
    units,
    value::Choice,
};
use crate::access::{Credential, Demand, Issuer, KeySource};
use crate::agi::{CommandPolicy, Glob, List};
use crate::ami::Server;
use crate::api::{Groups, Permit};
use crate::archive;
use crate::manage::{Client, Globs};
use crate::redact::Redact;
use crate::route::{Next, Policy, Quiet, Route, Service, Target, Then, Tls, When};
use crate::telemetry::otlp;
use crate::tls::ServerTls;
use ipnet::IpNet;
use serde_json::{Map, Value, json};
use std::{path::PathBuf, time::Duration};

const MASK: &str = "***";

impl Config {
    /// The effective configuration, to be read by people and loaded again (less its secrets). Ends with a line feed.
    pub fn effective_yaml(&self) -> String {
        serde_saphyr::to_string(&self.effective())
            .expect("a tree of text and numbers can always be written")
    }

    /// As [`Self::effective_yaml`], for JSON.
    pub fn effective(&self) -> Value {
        let routes: Vec<Value> = self.routes.routes().map(|it| route(it)).collect();
        let managers: Vec<Value> = self.managers.iter().map(manager).collect();
        let shutdown = &self.shutdown;
        sparse([
            ("agi", Some(agi(&self.agi))),
            ("admin", Some(admin(&self.admin))),
            ("api", self.api.listen.map(|_| api(&self.api))),
            ("jwt", (!self.jwt.is_empty()).then(|| self.jwt.iter().map(issuer).collect())),
            (
                "shutdown",
                Some(json!({
                    "drain_timeout": span(shutdown.drain_timeout),
                    "linger": span(shutdown.linger),
                })),
            ),
            ("log", Some(log(&self.log))),
            ("telemetry", Some(telemetry(&self.telemetry))),
            (
                "recorder",
                Some(json!({"calls": self.recorder.calls, "bytes": size(self.recorder.bytes)})),
            ),
            ("transcripts", self.transcripts.as_ref().map(transcripts)),
            ("routes", Some(routes.into())),
            ("managers", (!managers.is_empty()).then(|| managers.into())),
        ])
    }
}

fn transcripts(settings: &archive::Settings) -> Value {
    json!({
        "directory": settings.directory.to_string_lossy(),
        "calls": settings.calls,
        "bytes": size(settings.bytes),
        "call_bytes": size(settings.call_bytes),
    })
}

/// An object of what is set.
fn sparse<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let set = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(set.collect())
}

fn span(span: Duration) -> Value {
    units::duration(span).into()
}

fn size(bytes: usize) -> Value {
    units::size(u64::try_from(bytes).unwrap_or(u64::MAX)).into()
}

fn word<T: Choice + PartialEq>(meaning: T) -> Value {
    let found = T::WORDS.iter().find(|(_, known)| *known == meaning);
    found.map(|(word, _)| *word).expect("every meaning has its word").into()
}

fn agi(agi: &AgiConfig) -> Value {
    let texts = |items: Vec<String>| Some(items.into());
    let networks = |nets: &[IpNet]| texts(nets.iter().map(ToString::to_string).collect::<Vec<_>>());
    sparse([
        ("listen", texts(agi.listen.iter().map(ToString::to_string).collect())),
        ("allow", networks(&agi.allow)),
        ("max_calls", Some(agi.max_calls.into())),
        ("max_calls_per_peer", agi.max_calls_per_peer.map(Value::from)),
        ("calls_per_second", agi.calls_per_second.map(Value::from)),
        ("calls_per_second_per_peer", agi.calls_per_second_per_peer.map(Value::from)),
        (
            "proxy_protocol",
            Some(&agi.proxy_protocol).filter(|it| !it.is_empty()).and_then(|it| networks(it)),
        ),
        ("prelude_timeout", Some(span(agi.prelude_timeout))),
        ("max_call_duration", Some(span(agi.max_call_duration))),
        ("line_bytes_max", Some(agi.line_bytes_max.into())),
        ("cores", Some(agi.cores.into())),
    ])
}

fn admin(admin: &AdminConfig) -> Value {
    let access: Vec<Value> = admin
        .settings
        .access
        .iter()
        .map(|it| entry([("may", Some(word(it.right)))], &it.credential))
        .collect();
    sparse([
        ("listen", Some(admin.listen.to_string().into())),
        ("tls", admin.tls.as_ref().map(server_tls)),
        ("token", admin.token.as_ref().map(|_| MASK.into())),
        ("access", (!access.is_empty()).then(|| access.into())),
        ("everybody", Some(word(Open(admin.settings.everybody)))),
    ])
}

fn server_tls(tls: &ServerTls) -> Value {
    let path = |path: &PathBuf| Some(path.to_string_lossy().into());
    sparse([
        ("cert", path(&tls.cert)),
        ("key", path(&tls.key)),
        ("client_ca", tls.client_ca.as_ref().and_then(path)),
    ])
}

fn issuer(issuer: &Issuer) -> Value {
    let jwks = match &issuer.jwks {
        KeySource::Url(url) => url.to_string(),
        KeySource::File(path) => path.to_string_lossy().into_owned(),
    };
    sparse([
        ("issuer", Some(issuer.issuer.as_str().into())),
        ("audience", Some(issuer.audience.clone().into())),
        ("jwks", Some(jwks.into())),
        ("ca", issuer.ca.as_ref().map(|path| path.to_string_lossy().into())),
        ("algorithms", Some(issuer.algorithms.iter().map(|it| word(*it)).collect())),
        ("refresh", Some(span(issuer.refresh))),
        ("keep_for", Some(span(issuer.keep_for))),
    ])
}

fn api(api: &ApiConfig) -> Value {
    let workers: Vec<Value> = api.workers.iter().map(permit).collect();
    let clients: Vec<Value> = api.clients.iter().map(|it| client(it)).collect();
    sparse([
        ("listen", api.listen.map(|address| address.to_string().into())),
        ("tls", api.tls.as_ref().map(server_tls)),
        ("heartbeat", Some(span(api.heartbeat))),
        ("workers", (!workers.is_empty()).then(|| workers.into())),
        ("clients", (!clients.is_empty()).then(|| clients.into())),
    ])
}

fn permit(permit: &Permit) -> Value {
    let groups = match &permit.groups {
        Groups::All => json!(["*"]),
        Groups::These(groups) => groups.iter().map(|group| Value::from(&**group)).collect(),
    };
    entry([("groups", Some(groups))], &permit.credential)
}

fn client(client: &Client) -> Value {
    let list = |globs: &Globs| {
        (!globs.is_empty()).then(|| globs.iter().map(Value::from).collect::<Value>())
    };
    let Client { name, credential, signed_urls, grant, quotas } = client;
    // As long as a secret must be: what is printed can be read again.
    let long_mask = MASK.repeat(6);
    let originate = &grant.originate;
    let originate = sparse([
        ("channels", list(&originate.channels)),
        ("contexts", list(&originate.contexts)),
        ("routes", list(&originate.routes)),
        ("applications", list(&originate.applications)),
        ("functions", list(&originate.functions)),
    ]);
    let fields = [
        ("name", Some(Value::from(&**name))),
        ("servers", list(&grant.servers)),
        ("actions", list(&grant.actions)),
        ("events", list(&grant.events)),
        ("originate", originate.as_object().is_some_and(|it| !it.is_empty()).then_some(originate)),
        ("signed_urls", signed_urls.as_ref().map(|_| json!({"secret": long_mask}))),
        ("rate", Some(quotas.rate.into())),
        ("running", Some(quotas.running.into())),
        ("watches", Some(quotas.watches.into())),
    ];
    entry(fields, credential)
}

/// An entry of a list, with what it demands.
fn entry<const N: usize>(fields: [(&str, Option<Value>); N], credential: &Credential) -> Value {
    let mut fields = sparse(fields);
    let demand = match credential {
        Credential::Anybody => None,
        Credential::Token(_) => Some(("token", Value::from(MASK))),
        Credential::Certificate(name) => Some(("certificate", (**name).into())),
        Credential::Jwt(demands) => {
            let claim = |it: &Demand| (it.claim.clone(), it.values.clone().into());
            Some(("jwt", Value::Object(demands.iter().map(claim).collect())))
        }
    };
    if let (Value::Object(fields), Some((key, value))) = (&mut fields, demand) {
        fields.insert(key.to_owned(), value);
    }
    fields
}

fn log(log: &LogConfig) -> Value {
    json!({"format": word(log.format), "level": word(log.level)})
}

/// With what the variables say, as far as the file has a key for it.
fn telemetry(telemetry: &otlp::Settings) -> Value {
    let export = telemetry.traces.as_ref().or(telemetry.metrics.as_ref());
    let headers: Option<Map<String, Value>> = export
        .map(|export| export.headers.iter().map(|(name, _)| (name.clone(), MASK.into())).collect());
    let headers = headers.filter(|headers| !headers.is_empty());
    sparse([
        ("otlp_endpoint", export.map(|export| export.endpoint().into())),
        ("otlp_protocol", export.map(|export| word(export.protocol))),
        ("otlp_headers", headers.map(Value::Object)),
        ("otlp_metrics", Some(telemetry.metrics_wanted.into())),
        ("caller_numbers", Some(telemetry.rules.caller_numbers.into())),
    ])
}

fn manager(server: &Server) -> Value {
    sparse([
        ("name", Some((*server.name).into())),
        ("address", Some(server.remote.authority().into())),
        ("username", Some(server.username.as_str().into())),
        ("secret", Some(MASK.into())),
        ("tls", server.remote.tls.as_ref().map(tls)),
        ("plain_login", Some(server.plain_login.into())),
        ("async_agi", Some(server.async_agi.into())),
    ])
}

fn route(route: &Route) -> Value {
    let services: Vec<Value> = route.services.iter().map(|it| service(it)).collect();
    let when = (route.when != When::default()).then(|| when(&route.when));
    let mut fields = sparse([
        ("name", Some((*route.name).into())),
        ("path", Some(route.path.as_str().into())),
        ("when", when),
        ("services", Some(services.into())),
    ]);
    if let (Value::Object(fields), Value::Object(policy)) = (&mut fields, policy(&route.policy)) {
        fields.extend(policy);
    }
    fields
}

fn when(when: &When) -> Value {
    let text = |text: &Option<String>| text.as_deref().map(Value::from);
    let query: Map<String, Value> =
        when.query.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    sparse([
        ("context", text(&when.context)),
        ("extension", text(&when.extension)),
        ("dialed_number", text(&when.dialed_number)),
        ("account_code", text(&when.account_code)),
        ("query", (!query.is_empty()).then_some(Value::Object(query))),
    ])
}

fn service(service: &Service) -> Value {
    let is_grpc = matches!(service.target, Target::Grpc(_));
    let is_http = is_grpc || matches!(service.target, Target::WebSocket { .. });
    let is_script = matches!(service.target, Target::Script { .. });
    let headers: Map<String, Value> =
        service.headers.iter().map(|(name, _)| (name.clone(), MASK.into())).collect();
    sparse([
        ("url", Some((*service.url).into())),
        ("weight", service.weight.map(Value::from)),
        ("token", service.token.as_ref().map(|_| MASK.into())),
        ("headers", (!headers.is_empty()).then_some(Value::Object(headers))),
        ("tls", service.remote().and_then(|remote| remote.tls.as_ref()).map(tls)),
        ("max_streams_per_connection", is_grpc.then(|| service.max_streams_per_connection.into())),
        ("keepalive", is_http.then(|| keepalive(service))),
        ("max_processes", is_script.then(|| service.max_processes.into())),
    ])
}

fn keepalive(service: &Service) -> Value {
    json!({"interval": span(service.keepalive_interval), "timeout": span(service.keepalive_timeout)})
}

fn tls(tls: &Tls) -> Value {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into());
    sparse([
        ("ca", path(&tls.ca)),
        ("cert", path(&tls.cert)),
        ("key", path(&tls.key)),
        ("server_name", tls.server_name.as_deref().map(Value::from)),
    ])
}

fn policy(policy: &Policy) -> Value {
    let limits = sparse([
        ("max_calls", policy.max_calls.map(Value::from)),
        ("calls_per_second", policy.calls_per_second.map(Value::from)),
    ]);
    let mut treatment = json!({
        "connect_timeout": span(policy.connect_timeout),
        "retry_for": span(policy.retry_for),
        "quiet_limit": span(policy.quiet_limit),
        "quiet": match &policy.quiet {
            Quiet::Silence => "silence".into(),
            Quiet::Ringing => "ringing".into(),
            Quiet::Music(class) if class.is_empty() => "music".into(),
            Quiet::Music(class) => json!({"music": class}),
        },
        "resume_for": span(policy.resume_for),
        "resumes_per_minute": policy.resumes_per_minute,
        "journal_results": policy.journal_results,
        "checkpoint_limit": size(policy.checkpoint_limit),
        "hangup_grace": span(policy.hangup_grace),
        "heartbeat": span(policy.heartbeat),
        "max_queued_commands": policy.max_queued_commands,
        "max_call_duration": span(policy.max_call_duration),
        "trace_argument": policy.trace_argument,
        "trace_variable": policy.trace_variable,
        "digits": policy.digits,
        "then": then(&policy.then),
        "redact": redact(policy.redact),
        "record": policy.record,
        "policy": commands(&policy.commands),
    });
    if let (Value::Object(treatment), Value::Object(limits)) = (&mut treatment, limits) {
        treatment.extend(limits);
    }
    treatment
}

/// Without what holds where nothing is said.
fn commands(policy: &CommandPolicy) -> Value {
    let side = |globs: fn(&List) -> &Vec<Glob>| {
        let names = |list: &List| {
            let names: Vec<Value> = globs(list).iter().map(|it| it.as_str().into()).collect();
            (!names.is_empty()).then(|| names.into())
        };
        let side = sparse([
            ("commands", names(&policy.commands)),
            ("applications", names(&policy.applications)),
            ("functions", names(&policy.functions)),
            ("variables", names(&policy.variables)),
            ("dial", names(&policy.dial)),
        ]);
        side.as_object().is_some_and(|side| !side.is_empty()).then_some(side)
    };
    sparse([("allow", side(|list| &list.allow)), ("deny", side(|list| &list.deny))])
}

fn redact(redact: Redact) -> Value {
    let words: Vec<&str> = redact.words().collect();
    if words.is_empty() { "nothing".into() } else { words.into() }
}

fn then(then: &Then) -> Value {
    let next = match &then.next {
        Next::Fail => ("next", word(NextWord::Fail)),
        Next::Continue => ("next", word(NextWord::Continue)),
        Next::Hangup => ("next", word(NextWord::Hangup)),
        Next::Goto { context, extension, priority } => {
            ("goto", json!({"context": context, "extension": extension, "priority": priority}))
        }
    };
    sparse([("announce", then.announce.as_deref().map(Value::from)), (next.0, Some(next.1))])
}
