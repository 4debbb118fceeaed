//! Server-sent events, as they are written. Knows no event, and no connection.

use std::time::Duration;

/// What an answer says that it is.
pub(crate) const CONTENT_TYPE: &str = "text/event-stream";
/// With nothing to say for so long, a comment shows that the bridge is there.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Nobody hears it.
pub(crate) const COMMENT: &str = ":\n\n";

/// Adds an event. `data` is JSON on one line: it has no line feed of its own.
pub(crate) fn event(text: &mut String, name: &str, data: &str) {
    text.push_str("event: ");
    text.push_str(name);
    text.push_str("\ndata: ");
    text.push_str(data);
    text.push_str("\n\n");
}
