//! Where a signal goes, and how, by the variables for all signals and its own, which win. Knows no other settings.

use super::{Variables, pairs, word_of};
use crate::{
    route::Tls,
    secret::Secret,
    telemetry::otlp::{Export, Protocol, Settings, Signal},
};
use http::HeaderName;
use std::{path::PathBuf, time::Duration};

pub(super) fn of_traces(file: Option<Export>, variables: &mut Variables) -> Option<Export> {
    let wanted = exporter(Signal::Traces, &["otlp", "none"], variables);
    export(Signal::Traces, file, wanted, variables)
}

pub(super) fn of_metrics(settings: &mut Settings, variables: &mut Variables) {
    // `/metrics` is there in any case, so a Prometheus asks for nothing more.
    let wanted = exporter(Signal::Metrics, &["otlp", "prometheus", "none"], variables);
    settings.metrics_wanted = wanted.unwrap_or(settings.metrics_wanted);
    let off = (!settings.metrics_wanted).then_some(false);
    settings.metrics = export(Signal::Metrics, settings.metrics.take(), wanted.or(off), variables);
}

/// Whether `otlp` is among the exporters of a signal, if one of `known` is.
fn exporter(signal: Signal, known: &[&str], variables: &mut Variables) -> Option<bool> {
    let name = format!("OTEL_{}_EXPORTER", word_of(signal));
    let text = variables.word(&name)?;
    let words: Vec<&str> = text.split(',').map(str::trim).collect();
    let unknown = words.iter().find(|word| !known.contains(word));
    if let Some(word) = unknown {
        variables.warn(&name, format!("`{word}` is not known: {}", known.join(", ")));
    }
    words.iter().any(|word| known.contains(word)).then(|| words.contains(&"otlp"))
}

/// `wanted`: whether it is exported, where that is said.
fn export(
    signal: Signal,
    file: Option<Export>,
    wanted: Option<bool>,
    variables: &mut Variables,
) -> Option<Export> {
    let protocol = protocol(signal, variables);
    let endpoint = endpoint(signal, protocol, file.as_ref(), variables);
    let mut export = match (endpoint, file, protocol) {
        (Some(export), file, _) => {
            let headers = file.map(|file| file.headers).unwrap_or_default();
            Some(Export { headers, ..export })
        }
        (None, Some(file), None) => Some(file),
        // The file's endpoint, spoken to otherwise.
        (None, Some(file), Some(protocol)) => {
            let url = protocol.at(signal, &file.endpoint()).unwrap_or_else(|_| file.url.clone());
            Some(Export { url, protocol, ..file })
        }
        (None, None, _) => None,
    };
    match wanted {
        None => {}
        Some(false) => export = None,
        Some(true) => {
            let protocol = protocol.unwrap_or_default();
            let usual = || {
                let url = protocol.at(signal, protocol.default_endpoint()).ok()?;
                Some(Export::new(signal, url, protocol))
            };
            export = export.or_else(usual);
        }
    }
    details(signal, export.as_mut(), variables);
    export
}

fn protocol(signal: Signal, variables: &mut Variables) -> Option<Protocol> {
    let (name, word) = variables.otlp(signal, "PROTOCOL")?;
    match word.as_str() {
        "grpc" => Some(Protocol::Grpc),
        "http/protobuf" => Some(Protocol::HttpProtobuf),
        _ => {
            variables.warn(&name, format!("`{word}` is not known: grpc, http/protobuf"));
            None
        }
    }
}

fn endpoint(
    signal: Signal,
    protocol: Option<Protocol>,
    file: Option<&Export>,
    variables: &mut Variables,
) -> Option<Export> {
    let protocol = protocol.or_else(|| file.map(|file| file.protocol)).unwrap_or_default();
    let insecure = variables
        .otlp(signal, "INSECURE")
        .is_some_and(|(_, word)| word.eq_ignore_ascii_case("true"));
    // gRPC's endpoints may come without a scheme.
    let whole = |text: String| match (text.contains("://"), protocol, insecure) {
        (true, _, _) | (false, Protocol::HttpProtobuf, _) => text,
        (false, Protocol::Grpc, true) => format!("http://{text}"),
        (false, Protocol::Grpc, false) => format!("https://{text}"),
    };
    let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", word_of(signal));
    let (name, text) = variables.otlp(signal, "ENDPOINT")?;
    let url = if name == own {
        protocol.exactly_at(signal, &whole(text))
    } else {
        protocol.at(signal, &whole(text))
    };
    match url {
        Ok(url) => Some(Export::new(signal, url, protocol)),
        Err(what) => {
            variables.warn(&name, what);
            None
        }
    }
}

fn details(signal: Signal, export: Option<&mut Export>, variables: &mut Variables) {
    let mut unused = Export::new(signal, http::Uri::default(), Protocol::default());
    let export = export.unwrap_or(&mut unused);
    if let Some((name, text)) = variables.otlp(signal, "HEADERS") {
        match headers(&text) {
            Some(headers) => export.headers = headers,
            None => variables.warn(&name, "this is no list of `name=value`"),
        }
    }
    if let Some((name, text)) = variables.otlp(signal, "TIMEOUT") {
        match text.parse().ok().filter(|millis| *millis > 0) {
            Some(millis) => export.timeout = Duration::from_millis(millis),
            None => variables.warn(&name, format!("`{text}` is no number of milliseconds")),
        }
    }
    if let Some((name, word)) = variables.otlp(signal, "COMPRESSION") {
        match word.as_str() {
            "gzip" => export.gzip = true,
            "none" => export.gzip = false,
            _ => variables.warn(&name, format!("`{word}` is not known: gzip, none")),
        }
    }
    let mut file = |what: &str| variables.otlp(signal, what);
    let (ca, cert, key) = (file("CERTIFICATE"), file("CLIENT_CERTIFICATE"), file("CLIENT_KEY"));
    if let (Some((name, _)), None) | (None, Some((name, _))) = (&cert, &key) {
        let what = "the client's certificate needs its key, and the key its certificate";
        variables.warn(name, what);
    }
    let [ca, cert, key] = [ca, cert, key].map(|file| file.map(|(_, path)| PathBuf::from(path)));
    export.tls = Tls { ca, cert, key, server_name: None };
}

fn headers(text: &str) -> Option<Vec<(String, Secret)>> {
    let fits = |(name, value): &(String, String)| {
        HeaderName::try_from(name.as_str()).is_ok()
            && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    };
    let pairs = pairs(text)?;
    pairs.iter().all(fits).then(|| {
        let lower =
            |(name, value): (String, String)| (name.to_ascii_lowercase(), Secret::new(value));
        pairs.into_iter().map(lower).collect()
    })
}
