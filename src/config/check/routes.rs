//! Checks of routes and their services, and the policy of each route.

use super::span;
use crate::{
    config::{
        ApiConfig,
        file::{self, File, NextWord, RedactWord, Treatment},
        many::OneOrMany,
        read::{Field, Reader},
        reference::header_fault,
        service_url::{Authority, Place, ServiceUrl},
        value::{Text, Word},
    },
    redact::Redact,
    route::{Next, Policy, Remote, Route, Service, Table, Target, Then, Tls, When},
    secret::Secret,
};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// `None` when a route is faulty.
pub(super) fn table(
    file: &File,
    longest: Duration,
    api: &ApiConfig,
    reader: &mut Reader,
) -> Option<Table> {
    let standard = Policy { max_call_duration: longest, ..Policy::default() };
    let base = match &file.defaults.value {
        Some(treatment) => policy(treatment, &standard, longest, reader),
        None => standard,
    };
    let written: Vec<&file::Route> = file
        .routes
        .value
        .iter()
        .flat_map(|list| &list.0)
        .filter_map(|field| field.value.as_ref())
        .collect();
    recorded(file, &written, reader);
    told_digits(file, &written, reader);
    names(&written, reader);
    workers(&written, api, reader);
    reachable(&written, reader);
    let routes: Vec<Option<Route>> =
        written.iter().map(|written| route(written, &base, longest, reader)).collect();
    let routes: Option<Vec<Route>> = routes.into_iter().collect();
    if !reader.faults.is_empty() {
        return None;
    }
    match Table::new(routes?) {
        Ok(table) => Some(table),
        Err(error) => {
            reader.fault(&file.routes.spot, error.to_string());
            None
        }
    }
}

fn policy(written: &Treatment, base: &Policy, longest: Duration, reader: &mut Reader) -> Policy {
    let max_call_duration = span(&written.max_call_duration).unwrap_or(base.max_call_duration);
    if max_call_duration > longest && written.max_call_duration.present {
        reader.fault(&written.max_call_duration.spot, "this is longer than agi.max_call_duration");
    }
    let then = written.then.value.as_ref().map(|it| then(it, &written.then, reader));
    Policy {
        connect_timeout: span(&written.connect_timeout).unwrap_or(base.connect_timeout),
        retry_for: span(&written.retry_for).unwrap_or(base.retry_for),
        quiet_limit: span(&written.quiet_limit).unwrap_or(base.quiet_limit),
        quiet: written.quiet.value.as_ref().map_or_else(|| base.quiet.clone(), |it| it.0.clone()),
        resume_for: span(&written.resume_for).unwrap_or(base.resume_for),
        resumes_per_minute: written
            .resumes_per_minute
            .value
            .as_ref()
            .map_or(base.resumes_per_minute, |it| it.to_u32()),
        journal_results: written
            .journal_results
            .value
            .as_ref()
            .map_or(base.journal_results, |it| it.to_usize()),
        checkpoint_limit: written
            .checkpoint_limit
            .value
            .as_ref()
            .map_or(base.checkpoint_limit, |it| it.0),
        hangup_grace: span(&written.hangup_grace).unwrap_or(base.hangup_grace),
        heartbeat: span(&written.heartbeat).unwrap_or(base.heartbeat),
        max_queued_commands: written
            .max_queued_commands
            .value
            .as_ref()
            .map_or(base.max_queued_commands, |it| it.to_u32()),
        max_call_duration,
        trace_argument: written
            .trace_argument
            .value
            .as_ref()
            .map_or(base.trace_argument, |flag| flag.0),
        trace_variable: written
            .trace_variable
            .value
            .as_ref()
            .map_or(base.trace_variable, |flag| flag.0),
        digits: written.digits.value.as_ref().map_or(base.digits, |flag| flag.0),
        then: then.unwrap_or_else(|| base.then.clone()),
        redact: redact(&written.redact, reader).unwrap_or(base.redact),
        record: written.record.value.as_ref().map_or(base.record, |flag| flag.0),
        commands: super::policy::commands(&written.policy, reader)
            .map_or_else(|| Arc::clone(&base.commands), Arc::new),
        max_calls: written.max_calls.value.as_ref().map(|it| it.to_usize()).or(base.max_calls),
        calls_per_second: written
            .calls_per_second
            .value
            .as_ref()
            .map(|it| it.to_u32())
            .or(base.calls_per_second),
    }
}

/// Transcripts need their folder.
fn recorded(file: &File, routes: &[&file::Route], reader: &mut Reader) {
    if file.transcripts.present {
        return;
    }
    let treatments = file.defaults.value.iter().chain(routes.iter().map(|it| &it.treatment));
    for treatment in treatments {
        if treatment.record.value.as_ref().is_some_and(|flag| flag.0) {
            let what = "transcripts have no folder: set `transcripts: {directory: …}`";
            reader.fault(&treatment.record.spot, what);
        }
    }
}

/// Digits come from a manager.
fn told_digits(file: &File, routes: &[&file::Route], reader: &mut Reader) {
    if file.managers.present {
        return;
    }
    let treatments = file.defaults.value.iter().chain(routes.iter().map(|it| &it.treatment));
    for treatment in treatments {
        if treatment.digits.value.as_ref().is_some_and(|flag| flag.0) {
            let what = "digits come from the manager of Asterisk: set `managers`";
            reader.fault(&treatment.digits.spot, what);
        }
    }
}

/// A class that is not named is shown.
fn redact(field: &Field<OneOrMany<Word<RedactWord>>>, reader: &mut Reader) -> Option<Redact> {
    let listed = &field.value.as_ref()?.0;
    let words: Vec<RedactWord> =
        listed.iter().filter_map(|word| word.value.as_ref()).map(|Word(word)| *word).collect();
    if words.len() > 1 && words.contains(&RedactWord::Nothing) {
        reader.fault(&field.spot, "`nothing` stands alone");
    }
    Some(words.into_iter().fold(Redact::NOTHING, |sum, word| {
        sum.and(match word {
            RedactWord::Digits => Redact { digits: true, ..Redact::NOTHING },
            RedactWord::Values => Redact { values: true, ..Redact::NOTHING },
            RedactWord::Numbers => Redact { numbers: true, ..Redact::NOTHING },
            RedactWord::All => Redact::ALL,
            RedactWord::Nothing => Redact::NOTHING,
        })
    }))
}

fn then(written: &file::Then, field: &Field<file::Then>, reader: &mut Reader) -> Then {
    if written.next.present && written.goto.present {
        reader.fault(&field.spot, "`goto` stands instead of `next`: one of them must go");
    }
    let next = match (&written.next.value, &written.goto.value) {
        (_, Some(goto)) => Next::Goto {
            context: text(&goto.context).unwrap_or_default(),
            extension: text(&goto.extension).unwrap_or_default(),
            priority: goto
                .priority
                .value
                .as_ref()
                .map_or(1, |it| i32::try_from(it.0).expect("the largest priority fits")),
        },
        (Some(word), None) => match word.0 {
            NextWord::Fail => Next::Fail,
            NextWord::Continue => Next::Continue,
            NextWord::Hangup => Next::Hangup,
        },
        (None, None) => Next::Fail,
    };
    Then { announce: text(&written.announce), next }
}

fn text(field: &Field<Text>) -> Option<String> {
    field.value.as_ref().map(|text| text.0.clone())
}

/// Somebody must be able to dial in for each group.
fn workers(routes: &[&file::Route], api: &ApiConfig, reader: &mut Reader) {
    let services = routes.iter().filter_map(|route| route.services.value.as_ref());
    for service in services.flat_map(|list| &list.0).filter_map(|field| field.value.as_ref()) {
        if let Some(ServiceUrl { place: Place::Worker { group }, .. }) = &service.url.value
            && let Some(what) = super::api::unreachable(api, group)
        {
            reader.fault(&service.url.spot, what);
        }
    }
}

fn names(routes: &[&file::Route], reader: &mut Reader) {
    let mut first: HashMap<&str, &str> = HashMap::new();
    for route in routes {
        let Some(name) = &route.name.value else { continue };
        match first.get(name.0.as_str()) {
            Some(other) => reader
                .fault(&route.name.spot, format!("`{}` is the name of {other} already", name.0)),
            None => {
                let path = &route.name.spot.path;
                first.insert(&name.0, path.strip_suffix(".name").unwrap_or(path));
            }
        }
    }
}

/// Every route must be able to get a call: no route before it takes all of its calls.
fn reachable(routes: &[&file::Route], reader: &mut Reader) {
    let conditions: Vec<Option<When>> = routes.iter().map(|route| when(&route.when)).collect();
    for (index, route) in routes.iter().enumerate() {
        let (Some(path), Some(when)) = (&route.path.value, &conditions[index]) else { continue };
        let taker = routes[..index].iter().zip(&conditions).position(|(earlier, earlier_when)| {
            earlier.path.value.as_ref().is_some_and(|earlier| earlier.0.covers(&path.0))
                && earlier_when.as_ref().is_some_and(|earlier| earlier.covers(when))
        });
        if let Some(taker) = taker {
            let what = format!("no call gets here: routes[{taker}] takes all of them before");
            reader.fault(&route.path.spot, what);
        }
    }
}

/// `None` when a condition is faulty, so that what it covers is not known.
fn when(field: &Field<file::When>) -> Option<When> {
    let Some(written) = &field.value else { return (!field.present).then(When::default) };
    let known = |field: &Field<Text>| field.value.is_some() || !field.present;
    let fields =
        [&written.context, &written.extension, &written.dialed_number, &written.account_code];
    let query = match &written.query.value {
        Some(names) => {
            names.0.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect()
        }
        None => (!written.query.present).then(Vec::new),
    };
    fields.into_iter().all(known).then_some(When {
        context: text(&written.context),
        extension: text(&written.extension),
        dialed_number: text(&written.dialed_number),
        account_code: text(&written.account_code),
        query: query?,
    })
}

fn route(
    written: &file::Route,
    base: &Policy,
    longest: Duration,
    reader: &mut Reader,
) -> Option<Route> {
    let policy = policy(&written.treatment, base, longest, reader);
    let listed: Vec<&file::Service> = written
        .services
        .value
        .iter()
        .flat_map(|list| &list.0)
        .filter_map(|field| field.value.as_ref())
        .collect();
    weights(&listed, written, reader);
    let services: Vec<Option<Service>> =
        listed.iter().map(|written| service(written, reader)).collect();
    Some(Route {
        name: written.name.value.as_ref()?.0.as_str().into(),
        path: written.path.value.as_ref()?.0.as_str().to_owned(),
        when: when(&written.when)?,
        services: services
            .into_iter()
            .map(|service| service.map(Arc::new))
            .collect::<Option<_>>()?,
        policy,
    })
}

fn weights(services: &[&file::Service], route: &file::Route, reader: &mut Reader) {
    if services.iter().any(|service| service.weight.present) {
        for service in services.iter().filter(|service| !service.weight.present) {
            reader.fault(
                &service.weight.spot,
                "the weight is missing: other services of this route have one",
            );
        }
    }
    let zero = |service: &&file::Service| {
        service.weight.value.as_ref().is_some_and(|weight| weight.0 == 0)
    };
    if !services.is_empty() && services.iter().all(zero) {
        reader
            .fault(&route.services.spot, "every weight is 0: at least one service must get calls");
    }
}

fn service(written: &file::Service, reader: &mut Reader) -> Option<Service> {
    settings_of_kind(written, reader);
    let tls = tls(written, reader);
    let headers = headers(written, reader);
    let url = written.url.value.as_ref()?;
    let keepalive = written.keepalive.value.as_ref();
    Some(Service {
        url: url.text.as_str().into(),
        target: target(&url.place, tls),
        token: written.token.value.as_ref().map(|token| token.0.clone()),
        headers,
        weight: written.weight.value.as_ref().map(|weight| weight.to_u32()),
        max_streams_per_connection: written
            .max_streams_per_connection
            .value
            .as_ref()
            .map_or(100, |number| number.to_u32()),
        keepalive_interval: keepalive
            .and_then(|it| span(&it.interval))
            .unwrap_or_else(|| ping_interval(&url.place)),
        keepalive_timeout: keepalive
            .and_then(|it| span(&it.timeout))
            .unwrap_or(Duration::from_secs(10)),
        max_processes: written.max_processes.value.as_ref().map_or(100, |number| number.to_u32()),
    })
}

/// The pings of a WebSocket are what keeps proxies from cutting a quiet call: the shortest usual limit is 60 s.
fn ping_interval(place: &Place) -> Duration {
    match place {
        Place::WebSocket { .. } => Duration::from_secs(20),
        Place::Grpc(_) | Place::Worker { .. } | Place::FastAgi { .. } | Place::Script { .. } => {
            Duration::from_secs(30)
        }
    }
}

fn target(place: &Place, tls: Tls) -> Target {
    let remote = |authority: &Authority| Remote {
        host: authority.host.clone(),
        port: authority.port,
        tls: authority.secure.then_some(tls),
    };
    match place {
        Place::Grpc(authority) => Target::Grpc(remote(authority)),
        Place::WebSocket { authority, path } => {
            Target::WebSocket { remote: remote(authority), path: path.clone() }
        }
        Place::Worker { group } => Target::Worker { group: group.as_str().into() },
        Place::FastAgi { authority, path } => {
            Target::FastAgi { remote: remote(authority), path: path.clone() }
        }
        Place::Script { program } => Target::Script { program: program.clone() },
    }
}

/// A setting that has no meaning for the kind of this service is a mistake.
fn settings_of_kind(written: &file::Service, reader: &mut Reader) {
    let Some(url) = &written.url.value else { return };
    let is_grpc = matches!(url.place, Place::Grpc(_));
    let is_http = is_grpc || matches!(url.place, Place::WebSocket { .. });
    let is_script = matches!(url.place, Place::Script { .. });
    let misplaced = [
        (&written.token.spot, written.token.present && !is_http, "token", "`grpc://` and `ws://`"),
        (
            &written.headers.spot,
            written.headers.present && !is_http,
            "headers",
            "`grpc://` and `ws://`",
        ),
        (
            &written.keepalive.spot,
            written.keepalive.present && !is_http,
            "keepalive",
            "`grpc://` and `ws://`",
        ),
        (
            &written.max_streams_per_connection.spot,
            written.max_streams_per_connection.present && !is_grpc,
            "max_streams_per_connection",
            "`grpc://`",
        ),
        (
            &written.max_processes.spot,
            written.max_processes.present && !is_script,
            "max_processes",
            "`exec:`",
        ),
    ];
    for (spot, is_misplaced, key, kinds) in misplaced {
        if is_misplaced {
            reader
                .fault(spot, format!("`{key}` is for {kinds}, and this service is `{}`", url.text));
        }
    }
}

fn tls(service: &file::Service, reader: &mut Reader) -> Tls {
    let plain = service.url.value.as_ref().is_some_and(|url| !url.place.is_secure());
    if plain && service.tls.present {
        reader.fault(
            &service.tls.spot,
            "`tls` is for `grpcs://` and `wss://`, and this service is neither",
        );
    }
    service.tls.value.as_ref().map_or_else(Tls::default, |written| tls_files(written, reader))
}

pub(super) fn tls_files(written: &file::Tls, reader: &mut Reader) -> Tls {
    if written.cert.present && !written.key.present {
        reader.fault(&written.cert.spot, "`cert` needs its `key`");
    }
    if written.key.present && !written.cert.present {
        reader.fault(&written.key.spot, "`key` needs its `cert`");
    }
    let file = |field: &Field<crate::config::reference::FilePath>| {
        field.value.as_ref().map(|file| file.0.clone())
    };
    Tls {
        ca: file(&written.ca),
        cert: file(&written.cert),
        key: file(&written.key),
        server_name: text(&written.server_name),
    }
}

fn headers(service: &file::Service, reader: &mut Reader) -> Vec<(String, Secret)> {
    let mut headers: Vec<(String, Secret)> = Vec::new();
    for (name, field) in service.headers.value.iter().flat_map(|names| &names.0) {
        let name = name.to_ascii_lowercase();
        if let Some(what) = header_fault(&name) {
            reader.fault(&field.spot, what);
        } else if headers.iter().any(|(other, _)| *other == name) {
            reader.fault(
                &field.spot,
                "this header stands here twice: upper and lower case are the same",
            );
        } else if let Some(value) = &field.value {
            headers.push((name, value.0.clone()));
        }
    }
    headers
}
