//! Where traces and metrics go, from the file and then from the `OTEL_*` variables, which win.

use crate::{
    config::{
        file,
        read::{Field, Reader},
        reference::header_fault,
    },
    telemetry::otlp::{self, Export, Settings, Signal},
};

pub(super) fn telemetry(
    field: &Field<file::Telemetry>,
    environment: Vec<(String, String)>,
    reader: &mut Reader,
) -> Settings {
    let mut settings = Settings::default();
    if let Some(written) = &field.value {
        settings.rules.caller_numbers =
            written.caller_numbers.value.as_ref().is_some_and(|it| it.0);
        settings.metrics_wanted = written.otlp_metrics.value.as_ref().is_none_or(|it| it.0);
        settings.traces = export(written, reader);
        settings.metrics = settings.traces.as_ref().map(|it| {
            let url = it.protocol.at(Signal::Metrics, &it.endpoint());
            let url = url.expect("an endpoint of traces is one of metrics");
            Export { signal: Signal::Metrics, url, ..it.clone() }
        });
    }
    otlp::apply(&mut settings, environment);
    settings
}

fn export(written: &file::Telemetry, reader: &mut Reader) -> Option<Export> {
    if !written.otlp_endpoint.present {
        for (spot, present) in [
            (&written.otlp_protocol.spot, written.otlp_protocol.present),
            (&written.otlp_headers.spot, written.otlp_headers.present),
        ] {
            if present {
                reader.fault(spot, "this needs its `otlp_endpoint`");
            }
        }
    }
    let endpoint = written.otlp_endpoint.value.as_ref()?;
    let protocol = written.otlp_protocol.value.as_ref().map(|word| word.0).unwrap_or_default();
    let url = match protocol.at(Signal::Traces, &endpoint.0) {
        Ok(url) => url,
        Err(what) => {
            reader.fault(&written.otlp_endpoint.spot, what);
            return None;
        }
    };
    let mut export = Export::new(Signal::Traces, url, protocol);
    for (name, value) in written.otlp_headers.value.iter().flat_map(|names| &names.0) {
        let name = name.to_ascii_lowercase();
        // A collector may want a token, and makes it no other header of ours.
        match header_fault(&name).filter(|_| name != "authorization") {
            Some(what) => reader.fault(&value.spot, what),
            None => export.headers.extend(value.value.as_ref().map(|it| (name, it.0.clone()))),
        }
    }
    Some(export)
}
