//! How calls are read: as JSON, by anybody or by those who may change things.

use pbjson_types::Timestamp;
use serde::{Serialize, Serializer};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Sees no numbers, and of a route that does not mask digits and values no content.
    Anybody,
    /// Sees whatever was kept.
    Entitled,
}

/// Which calls that ended are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndedQuery {
    /// At most so many.
    pub limit: usize,
    /// Only those with a smaller number: the next page.
    pub before: Option<u64>,
    /// Only those that were on this route at last.
    pub route: Option<String>,
}

/// Calls that ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EndedPage {
    /// Whether anything is noted.
    pub is_on: bool,
    /// Calls that were noted since the start; the number of the last one.
    pub total: u64,
    /// What those that are kept take.
    pub bytes: usize,
    /// The newest first.
    pub calls: Vec<EndedSummary>,
    /// Whether there are older ones.
    pub truncated: bool,
}

/// A call that ended, in one line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EndedSummary {
    /// Counts the calls that ended, from 1.
    pub number: u64,
    /// Names the call everywhere.
    #[serde(serialize_with = "as_text")]
    pub call_id: Uuid,
    /// The route that it was on at last.
    pub route: String,
    /// Who had it at last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The channel's name.
    pub channel: String,
    /// Who called, for those who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_number: Option<String>,
    /// When the connection was accepted.
    pub accepted_at: Timestamp,
    /// How it ended.
    #[serde(flatten)]
    pub end: End,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct End {
    /// Of the whole session.
    #[serde(serialize_with = "seconds", rename = "duration_seconds")]
    pub duration: Duration,
    /// Commands of the service that were written.
    pub commands: u32,
    /// How long the caller of the answered channel heard nothing because no command had come.
    #[serde(serialize_with = "seconds", rename = "dead_air_seconds")]
    pub dead_air: Duration,
    /// As the metrics have it, as `hangup`.
    pub reason: &'static str,
    /// Who caused it.
    pub blame: &'static str,
    /// What stands in AGIBRIDGE_STATUS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// For people.
    pub detail: String,
}

/// One call, with what happened in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallView {
    /// Names the call everywhere.
    #[serde(serialize_with = "as_text")]
    pub call_id: Uuid,
    /// Of its trace.
    pub trace_id: String,
    /// The route that it is on.
    pub route: String,
    /// Whoever had it, in order; the newest eight.
    pub services: Vec<String>,
    /// What the AGI URL asked for.
    pub path: String,
    /// Its query.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// Arguments of AGI().
    #[serde(skip_serializing_if = "String::is_empty")]
    pub arguments: String,
    /// The channel's name.
    pub channel: String,
    /// As Asterisk has it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unique_id: String,
    /// Where the dialplan stood.
    pub context: String,
    /// As above.
    pub priority: i32,
    /// May be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub account_code: String,
    /// May be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// Who called, for those who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// When the connection was accepted.
    pub accepted_at: Timestamp,
    /// Set once the call is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// What is masked: `digits`, `values`, `numbers`.
    pub redact: Vec<&'static str>,
    /// More was kept than this reader may see.
    pub hidden: bool,
    /// Grows with every change; what is newer than it can be asked for.
    pub revision: u32,
    /// Entries between the first and the last ones that were not kept.
    pub dropped: u32,
    /// What happened, the oldest first; those that changed since the revision that was asked for.
    pub entries: Vec<EntryView>,
}

/// Who called whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Numbers {
    /// The caller's.
    pub caller: String,
    /// The caller's name.
    pub name: String,
    /// The number that was dialled.
    pub dialed: String,
    /// The number that redirected the call.
    pub redirecting: String,
    /// Extension of the dialplan, which may be a number.
    pub extension: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntryView {
    /// Counts the call's entries, from 1.
    pub number: u32,
    /// Since the accept, in seconds.
    #[serde(serialize_with = "seconds")]
    pub at: Duration,
    /// `command`, or what happened.
    pub kind: String,
    /// Of a command: its name, as `GET DATA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Of a command: the service's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// A command's arguments, or what is to be said of an event.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Of a command: when it was written to Asterisk.
    #[serde(serialize_with = "maybe_seconds", skip_serializing_if = "Option::is_none")]
    pub written: Option<Duration>,
    /// Of a command that was answered: what came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerView>,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerView {
    /// Since the accept.
    #[serde(serialize_with = "seconds")]
    pub at: Duration,
    /// Of Asterisk, from the write to the reply.
    #[serde(serialize_with = "maybe_seconds", skip_serializing_if = "Option::is_none")]
    pub elapsed: Option<Duration>,
    /// Kind of the result, or code of the error.
    pub outcome: String,
    /// Whether it is an error.
    pub is_error: bool,
    /// What it says.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// What came of the calls of a route.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TallyView {
    /// Since the start.
    pub calls: u64,
    /// By reason of their end.
    pub reasons: BTreeMap<&'static str, u64>,
    /// By who caused it.
    pub blames: BTreeMap<&'static str, u64>,
    /// Seconds from the accept to the service's first word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup: Option<Quantiles>,
    /// Seconds, the longest of each call, for which a service had every result and sent no command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Quantiles>,
    /// Seconds of whole calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<Quantiles>,
}

/// Of the last 256 calls, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// Half of the calls are below.
    pub p50: f64,
    /// All but a twentieth.
    pub p95: f64,
    /// The slowest one.
    pub max: f64,
}

fn as_text<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// To the microsecond.
fn seconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(Duration::from_micros(micros(*span)).as_secs_f64())
}

fn maybe_seconds<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => seconds(span, serializer),
        None => serializer.serialize_none(),
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
