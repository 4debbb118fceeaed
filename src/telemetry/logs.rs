//! What goes to standard error: one line for each event, as JSON or as text for people.
//!
//! In JSON the fields of the spans around an event stand beside its own, so that `call_id`, `route`, `trace_id` and
//! `span_id` are at the same place in every line of a call. `event` is the name given by `name:`, if there is one.

use serde_json::{Map, Value, json};
use std::{
    fmt,
    io::{self, BufWriter, IsTerminal},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_appender::non_blocking::{ErrorCounter, WorkerGuard};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter,
        format::{JsonFields, Writer},
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

/// The request of a WebSocket's handshake, with the service's token, is what this target writes at TRACE.
const SECRET: &str = "tungstenite::handshake::client=off";

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// A line for people, coloured on a terminal.
    #[default]
    Text,
}

/// What is written, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How events are written.
    pub format: Format,
    /// Which events: a level, as `info`, or directives, as `info,agi_bridge::session=debug`.
    pub filter: String,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is not understood.
    #[error("log filter {filter:?}: {source}")]
    Filter {
        /// As configured.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something else in the process writes logs already.
    #[error("logs are set up already: {0}")]
    Twice(Box<dyn std::error::Error + Send + Sync>),
}

impl Default for Settings {
    fn default() -> Self {
        Self { format: Format::default(), filter: "info".to_owned() }
    }
}

/// Keeps the logs going; when it is dropped, what is still on its way is written, within a second.
#[derive(Debug)]
pub struct Guard {
    _worker: WorkerGuard,
    lost: ErrorCounter,
}

impl Guard {
    /// Lines that were dropped because whoever reads standard error was too slow.
    pub fn lost(&self) -> usize {
        self.lost.dropped_lines()
    }
}

/// Writes events to standard error from now on, by a thread of its own: a reader that stalls stalls no call. Beyond
/// 128,000 lines on their way, further ones are dropped and counted.
///
/// # Errors
/// When the filter is not understood, or logs were set up before.
pub fn init(settings: &Settings) -> Result<Guard, Error> {
    use tracing_subscriber::util::SubscriberInitExt;
    // Lines of a burst go out together; the thread flushes when it has no more.
    let (writer, worker) = tracing_appender::non_blocking(BufWriter::new(io::stderr()));
    let lost = writer.error_counter();
    subscriber(settings, writer, io::stderr().is_terminal())?
        .try_init()
        .map_err(|error| Error::Twice(error.into()))?;
    Ok(Guard { _worker: worker, lost })
}

fn subscriber<W>(
    settings: &Settings,
    writer: W,
    colours: bool,
) -> Result<Box<dyn Subscriber + Send + Sync>, Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder()
        .parse(&settings.filter)
        .map_err(|source| Error::Filter { filter: settings.filter.clone(), source })?
        .add_directive(SECRET.parse().expect("a directive"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    Ok(match settings.format {
        Format::Json => Box::new(
            builder.with_ansi(false).fmt_fields(JsonFields::new()).event_format(JsonLine).finish(),
        ),
        Format::Text => Box::new(builder.with_ansi(colours).finish()),
    })
}

struct JsonLine;

impl<S> FormatEvent<S, JsonFields> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    JsonFields: for<'writer> FormatFields<'writer>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), json!(time));
        line.insert("level".to_owned(), json!(metadata.level().as_str()));
        line.insert("target".to_owned(), json!(metadata.target()));
        // Without `name:` an event is called "event FILE:LINE".
        if !metadata.name().starts_with("event ") {
            line.insert("event".to_owned(), json!(metadata.name()));
        }
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            let fields = fields.and_then(|fields| serde_json::from_str(&fields.fields).ok());
            if let Some(Value::Object(fields)) = fields {
                line.extend(fields);
            }
        }
        event.record(&mut Fields(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Puts an event's fields into its line.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().trim_start_matches("r#").to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, json!(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::{debug, info, info_span, trace};

    #[test]
    fn a_json_line_holds_the_fields_of_the_spans_around_it() {
        let text = written(Format::Json, "info", || {
            let span = info_span!(
                "call",
                call_id = "0190",
                route = "ivr",
                trace_id = tracing::field::Empty
            );
            span.record("trace_id", "4bf9");
            let _entered = span.entered();
            info!(name: "agibridge.call.ended", commands = 3, hung_up = true, seconds = 1.5, route = "x",
                reason = ?Some("a\nb"), "call ended");
        });
        let mut line: Map<String, Value> = serde_json::from_str(&text).unwrap();
        assert!(line.remove("timestamp").unwrap().as_str().unwrap().ends_with('Z'));
        let expected = json!({
            "level": "INFO", "target": "agi_bridge::telemetry::logs::tests", "event": "agibridge.call.ended",
            "call_id": "0190", "route": "x", "trace_id": "4bf9", "message": "call ended",
            "commands": 3, "hung_up": true, "seconds": 1.5, "reason": "Some(\"a\\nb\")",
        });
        assert_eq!(Value::Object(line), expected);
        assert_eq!(text.matches('\n').count(), 1);
    }

    #[test]
    fn events_below_the_filter_are_not_written() {
        let events = || {
            debug!("quiet");
            info!("loud\nand clear");
        };
        let text = written(Format::Text, "info", events);
        assert!(text.contains("loud") && !text.contains("quiet"), "{text}");
        assert_eq!(written(Format::Json, "off", events), "");
        assert_eq!(written(Format::Json, "agi_bridge=debug", events).lines().count(), 2);
    }

    #[test]
    fn tokens_in_requests_are_never_written() {
        let events = || {
            trace!(target: "tungstenite::handshake::client", "authorization: Bearer t0p");
            trace!(target: "tungstenite::protocol", "a frame");
        };
        for filter in ["trace", "tungstenite::handshake::client=trace,tungstenite=trace"] {
            let text = written(Format::Text, filter, events);
            assert!(text.contains("a frame") && !text.contains("t0p"), "{text}");
        }
    }

    #[test]
    fn a_filter_that_is_not_understood_is_named() {
        let settings = Settings { filter: "agi_bridge=loud".to_owned(), ..Settings::default() };
        let error = subscriber(&settings, io::sink, false).err().unwrap();
        assert!(error.to_string().starts_with("log filter \"agi_bridge=loud\": "), "{error}");
    }

    fn written(format: Format, filter: &str, events: impl FnOnce()) -> String {
        let written = Written::default();
        let settings = Settings { format, filter: filter.to_owned() };
        let writer = written.clone();
        let subscriber = subscriber(&settings, move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, events);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
