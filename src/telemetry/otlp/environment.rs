//! The `OTEL_*` variables, as the specification has them: they win over the file, and one that is not understood is told and left
//! aside. Knows names and words, and reads no environment itself.

use super::{Export, Protocol, Settings};
use crate::{
    secret::Secret,
    telemetry::sampler::{Root, Sampler},
};
use http::HeaderName;
use percent_encoding::percent_decode_str;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// Those of the signals that are not ours, and those that say nothing here.
const OTHERS: [&str; 12] = [
    "OTEL_METRICS_",
    "OTEL_METRIC_",
    "OTEL_LOGS_",
    "OTEL_LOG_",
    "OTEL_BLRP_",
    "OTEL_EXPORTER_OTLP_METRICS_",
    "OTEL_EXPORTER_OTLP_LOGS_",
    "OTEL_EXPORTER_PROMETHEUS_",
    "OTEL_PYTHON_",
    "OTEL_NODE_",
    "OTEL_JAVA_",
    "OTEL_GO_",
];

/// Lays the variables over `settings`; an empty one is as one that is not set.
pub fn apply(settings: &mut Settings, variables: impl IntoIterator<Item = (String, String)>) {
    let found = variables.into_iter().filter(|(name, value)| {
        name.starts_with("OTEL_")
            && !value.trim().is_empty()
            && !OTHERS.iter().any(|prefix| name.starts_with(prefix))
    });
    let mut variables = Variables { left: found.collect(), warnings: Vec::new() };
    if variables.word("OTEL_SDK_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
        settings.export = None;
        return;
    }
    resource(settings, &mut variables);
    propagators(settings, &mut variables);
    sampler(settings, &mut variables);
    batch(settings, &mut variables);
    export(settings, &mut variables);
    for name in variables.left.into_keys() {
        variables.warnings.push(format!("{name} is not known here"));
    }
    settings.warnings.append(&mut variables.warnings);
}

struct Variables {
    left: BTreeMap<String, String>,
    warnings: Vec<String>,
}

impl Variables {
    fn word(&mut self, name: &str) -> Option<String> {
        self.left.remove(name).map(|value| value.trim().to_owned())
    }

    /// That of traces, or else that of all signals.
    fn otlp(&mut self, what: &str) -> Option<String> {
        let all = self.word(&format!("OTEL_EXPORTER_OTLP_{what}"));
        self.word(&format!("OTEL_EXPORTER_OTLP_TRACES_{what}")).or(all)
    }

    fn warn(&mut self, name: &str, what: impl std::fmt::Display) {
        self.warnings.push(format!("{name}: {what}"));
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        let text = self.word(name)?;
        let number = text.parse().ok().filter(|number| *number > 0);
        if number.is_none() {
            self.warn(name, format!("`{text}` is no number above 0"));
        }
        number
    }

    fn count(&mut self, name: &str, target: &mut usize) {
        /// More spans than that are no queue.
        const MAX: u64 = 1 << 20;
        if let Some(count) = self.number(name) {
            *target = usize::try_from(count.min(MAX)).unwrap_or(usize::MAX);
        }
    }

    fn millis(&mut self, name: &str, target: &mut Duration) {
        if let Some(millis) = self.number(name) {
            *target = Duration::from_millis(millis);
        }
    }
}

fn resource(settings: &mut Settings, variables: &mut Variables) {
    let name = "OTEL_RESOURCE_ATTRIBUTES";
    if let Some(text) = variables.word(name) {
        match pairs(&text) {
            Some(pairs) => settings.resource = pairs,
            None => variables.warn(name, "this is no list of `key=value`"),
        }
    }
    if let Some(service) = variables.word("OTEL_SERVICE_NAME") {
        settings.resource.retain(|(key, _)| key != "service.name");
        settings.resource.push(("service.name".to_owned(), service));
    }
}

fn propagators(settings: &mut Settings, variables: &mut Variables) {
    let name = "OTEL_PROPAGATORS";
    let Some(text) = variables.word(name) else { return };
    let (mut trace_context, mut baggage, mut known) = (false, false, false);
    for word in text.split(',').map(str::trim) {
        known = true;
        match word {
            "tracecontext" => trace_context = true,
            "baggage" => baggage = true,
            "none" | "" => {}
            _ => {
                known = trace_context || baggage;
                let what = format!("`{word}` is not known: tracecontext, baggage, none");
                variables.warn(name, what);
            }
        }
    }
    if known {
        (settings.rules.trace_context, settings.rules.baggage) = (trace_context, baggage);
    }
}

fn sampler(settings: &mut Settings, variables: &mut Variables) {
    let (name, arg) = ("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG");
    let share = variables.word(arg);
    let Some(word) = variables.word(name) else { return };
    let mut ratio = || match share.as_deref().map(|share| (share, share.parse().ok())) {
        None => Root::On,
        Some((text, share)) => share.and_then(Root::ratio).unwrap_or_else(|| {
            variables.warn(arg, format!("`{text}` is no number from 0 to 1"));
            Root::On
        }),
    };
    settings.rules.sampler = match word.as_str() {
        "always_on" => Sampler::Always(Root::On),
        "always_off" => Sampler::Always(Root::Off),
        "traceidratio" => Sampler::Always(ratio()),
        "parentbased_always_on" => Sampler::ParentBased(Root::On),
        "parentbased_always_off" => Sampler::ParentBased(Root::Off),
        "parentbased_traceidratio" => Sampler::ParentBased(ratio()),
        _ => return variables.warn(name, format!("`{word}` is not known")),
    };
}

fn batch(settings: &mut Settings, variables: &mut Variables) {
    variables.millis("OTEL_BSP_SCHEDULE_DELAY", &mut settings.schedule_delay);
    variables.millis("OTEL_BSP_EXPORT_TIMEOUT", &mut settings.export_timeout);
    variables.count("OTEL_BSP_MAX_QUEUE_SIZE", &mut settings.rules.queue_max);
    variables.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &mut settings.rules.batch_max);
    settings.rules.batch_max = settings.rules.batch_max.min(settings.rules.queue_max);
}

fn export(settings: &mut Settings, variables: &mut Variables) {
    let exporter = variables.word("OTEL_TRACES_EXPORTER");
    let protocol = protocol(variables);
    let endpoint = endpoint(protocol, settings, variables);
    let mut export = match (endpoint, settings.export.take(), protocol) {
        (Some(export), before, _) => {
            let headers = before.map(|before| before.headers).unwrap_or_default();
            Some(Export { headers, ..export })
        }
        (None, Some(before), None) => Some(before),
        // The file's endpoint, spoken to otherwise.
        (None, Some(before), Some(protocol)) => {
            let url = protocol.traces_at(&before.endpoint()).unwrap_or_else(|_| before.url.clone());
            Some(Export { url, protocol, ..before })
        }
        (None, None, _) => None,
    };
    match exporter.as_deref() {
        None => {}
        Some("none") => export = None,
        Some("otlp") => {
            let protocol = protocol.unwrap_or_default();
            let usual = || {
                Some(Export::new(protocol.traces_at(protocol.default_endpoint()).ok()?, protocol))
            };
            export = export.or_else(usual);
        }
        Some(other) => {
            variables.warn("OTEL_TRACES_EXPORTER", format!("`{other}` is not known: otlp, none"));
        }
    }
    details(export.as_mut(), variables);
    settings.export = export;
}

fn protocol(variables: &mut Variables) -> Option<Protocol> {
    let word = variables.otlp("PROTOCOL")?;
    match word.as_str() {
        "grpc" => Some(Protocol::Grpc),
        "http/protobuf" => Some(Protocol::HttpProtobuf),
        _ => {
            let what = format!("`{word}` is not known: grpc, http/protobuf");
            variables.warn("OTEL_EXPORTER_OTLP_PROTOCOL", what);
            None
        }
    }
}

fn endpoint(
    protocol: Option<Protocol>,
    settings: &Settings,
    variables: &mut Variables,
) -> Option<Export> {
    let protocol = protocol
        .or_else(|| settings.export.as_ref().map(|export| export.protocol))
        .unwrap_or_default();
    let insecure = variables.otlp("INSECURE").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    // gRPC's endpoints may come without a scheme.
    let whole = |text: String| match (text.contains("://"), protocol, insecure) {
        (true, _, _) | (false, Protocol::HttpProtobuf, _) => text,
        (false, Protocol::Grpc, true) => format!("http://{text}"),
        (false, Protocol::Grpc, false) => format!("https://{text}"),
    };
    let (all, own) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    let (base, exact) = (variables.word(all).map(whole), variables.word(own).map(whole));
    let (name, url) = match (base, exact) {
        (_, Some(exact)) => (own, protocol.exactly_at(&exact)),
        (Some(base), None) => (all, protocol.traces_at(&base)),
        (None, None) => return None,
    };
    match url {
        Ok(url) => Some(Export::new(url, protocol)),
        Err(what) => {
            variables.warn(name, what);
            None
        }
    }
}

fn details(export: Option<&mut Export>, variables: &mut Variables) {
    let mut unused = Export::new(http::Uri::default(), Protocol::default());
    let export = export.unwrap_or(&mut unused);
    if let Some(text) = variables.otlp("HEADERS") {
        match headers(&text) {
            Some(headers) => export.headers = headers,
            None => variables.warn("OTEL_EXPORTER_OTLP_HEADERS", "this is no list of `name=value`"),
        }
    }
    let timeout = variables.otlp("TIMEOUT");
    if let Some(text) = timeout {
        match text.parse().ok().filter(|millis| *millis > 0) {
            Some(millis) => export.timeout = Duration::from_millis(millis),
            None => {
                let what = format!("`{text}` is no number of milliseconds");
                variables.warn("OTEL_EXPORTER_OTLP_TIMEOUT", what);
            }
        }
    }
    match variables.otlp("COMPRESSION").as_deref() {
        None => {}
        Some("gzip") => export.gzip = true,
        Some("none") => export.gzip = false,
        Some(other) => {
            let what = format!("`{other}` is not known: gzip, none");
            variables.warn("OTEL_EXPORTER_OTLP_COMPRESSION", what);
        }
    }
    let mut file = |what: &str| variables.otlp(what).map(PathBuf::from);
    let (ca, cert, key) = (file("CERTIFICATE"), file("CLIENT_CERTIFICATE"), file("CLIENT_KEY"));
    if cert.is_some() != key.is_some() {
        let what = "the client's certificate needs its key, and the key its certificate";
        variables.warn("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", what);
    }
    export.tls = crate::route::Tls { ca, cert, key, server_name: None };
}

/// `key=value,…`, the values percent-encoded.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let members = text.split(',').map(str::trim).filter(|member| !member.is_empty());
    members
        .map(|member| {
            let (key, value) = member.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            let key = percent_decode_str(key.trim()).decode_utf8().ok()?;
            (!key.is_empty()).then(|| (key.into_owned(), value.into_owned()))
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(variables: &[(&str, &str)]) -> Settings {
        over(Settings::default(), variables)
    }

    fn over(mut settings: Settings, variables: &[(&str, &str)]) -> Settings {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        apply(&mut settings, variables.iter().map(owned));
        settings
    }

    fn url(settings: &Settings) -> Option<String> {
        settings.export.as_ref().map(|export| export.url.to_string())
    }

    const GRPC: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

    #[test]
    fn nothing_is_exported_unless_an_endpoint_or_an_exporter_is_set() {
        assert_eq!(applied(&[]), Settings::default());
        let silent = [("OTEL_SERVICE_NAME", "x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", " ")];
        assert_eq!(url(&applied(&silent)), None);
        let usual = applied(&[("OTEL_TRACES_EXPORTER", "otlp")]);
        assert_eq!(url(&usual), Some(format!("http://localhost:4317{GRPC}")));
        let none = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c")];
        assert_eq!(url(&applied(&none)), None);
        let disabled = [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c")];
        assert_eq!(url(&applied(&disabled)), None);
    }

    #[test]
    fn endpoints_are_asked_where_the_specification_says() {
        let (all, own) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let http = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        for (variables, expected) in [
            (vec![(all, "http://c:1")], format!("http://c:1{GRPC}")),
            (vec![(all, "http://c:1/x/")], format!("http://c:1{GRPC}")),
            (vec![(all, "c:1")], format!("https://c:1{GRPC}")),
            (
                vec![(all, "c:1"), ("OTEL_EXPORTER_OTLP_INSECURE", "true")],
                format!("http://c:1{GRPC}"),
            ),
            (vec![(all, "http://c:1"), http], "http://c:1/v1/traces".to_owned()),
            (vec![(all, "http://c:1/x/"), http], "http://c:1/x/v1/traces".to_owned()),
            (vec![(all, "http://c:1"), (own, "https://o/t"), http], "https://o/t".to_owned()),
            (
                vec![(all, "http://c:1"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"), http],
                format!("http://c:1{GRPC}"),
            ),
        ] {
            let settings = applied(&variables);
            assert_eq!(url(&settings), Some(expected), "{variables:?}");
            assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
        }
    }

    #[test]
    fn a_variable_wins_over_the_file_and_leaves_the_rest_of_it() {
        let uri = Protocol::HttpProtobuf.traces_at("http://file:4318").unwrap();
        let mut export = Export::new(uri, Protocol::HttpProtobuf);
        export.headers.push(("x-key".to_owned(), Secret::new("s")));
        let file = Settings { export: Some(export), ..Settings::default() };
        let other = over(file.clone(), &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
        assert_eq!(url(&other), Some(format!("http://file:4318{GRPC}")));
        assert_eq!(other.export.unwrap().headers.len(), 1);
        let other = over(file.clone(), &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://v:1")]);
        assert_eq!(url(&other).as_deref(), Some("http://v:1/v1/traces"));
        assert_eq!(other.export.unwrap().headers.len(), 1);
        let other = over(file, &[("OTEL_EXPORTER_OTLP_HEADERS", "A=b%2Cc , d=e")]);
        let headers = other.export.unwrap().headers;
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(headers, [("a", "b,c"), ("d", "e")]);
    }

    #[test]
    fn samplers_propagators_and_limits_are_read() {
        let settings = applied(&[
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
            ("OTEL_PROPAGATORS", "baggage"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "7"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=b%20c,service.name=one"),
            ("OTEL_SERVICE_NAME", "two"),
            ("OTEL_METRICS_EXPORTER", "prometheus"),
        ]);
        assert_eq!(settings.warnings, [""; 0]);
        assert_eq!(settings.rules.sampler, Sampler::ParentBased(Root::ratio(0.5).unwrap()));
        assert_eq!((settings.rules.trace_context, settings.rules.baggage), (false, true));
        assert_eq!((settings.rules.queue_max, settings.rules.batch_max), (100, 100));
        assert_eq!(settings.schedule_delay, Duration::from_millis(7));
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(settings.resource, [pair("a", "b c"), pair("service.name", "two")]);
    }

    #[test]
    fn what_is_not_understood_is_told_and_left_aside() {
        let wrong = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://c"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "no pair"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/k"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_PROPAGATORS", "b3"),
            ("OTEL_RESOURCE_ATTRIBUTES", "="),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
            ("OTEL_TRACE_SAMPLER", "always_on"),
        ];
        for wrong in wrong {
            let settings = applied(&[wrong]);
            assert_eq!(settings.warnings.len(), 1, "{wrong:?}: {:?}", settings.warnings);
            assert_eq!(settings.export, None);
            assert_eq!(settings.rules.sampler, Sampler::default());
        }
        assert_eq!(applied(&wrong).warnings.len(), wrong.len());
    }
}
