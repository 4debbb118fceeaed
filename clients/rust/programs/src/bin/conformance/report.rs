//! What the program writes: results, facts and errors in ProtoJSON, a line for each call.

use crate::read::{base64, duration_text};
use agibridge::{
    Call, ChannelState, Code, Digits, Ended, Error, GosubReturn, Hangup, Outcome, PastResult,
    Playback, Position, RawReply, Recording, Resumption, Speech, proto,
};
use serde_json::{Map, Value, json};
use std::io::Write;

/// Writes one line to standard output, at once.
pub(crate) fn line(it: &Value) {
    let mut out = std::io::stdout().lock();
    let _closed = writeln!(out, "{it}").and_then(|()| out.flush());
}

/// A typed result that can be written as the contract has it.
pub(crate) trait Noted {
    fn outcome(self) -> Outcome;
}

macro_rules! results {
    ($($type:ty => $variant:ident)*) => {$(
        impl Noted for $type {
            fn outcome(self) -> Outcome {
                Outcome::$variant(self)
            }
        }
    )*};
}

results! {
    Playback => Playback
    Option<char> => Digit
    Digits => Digits
    Option<String> => Value
    ChannelState => ChannelStatus
    i32 => Exec
    Recording => Recording
    Speech => Speech
    GosubReturn => Gosub
    RawReply => Raw
}

impl Noted for () {
    fn outcome(self) -> Outcome {
        Outcome::Done
    }
}

/// An object without what is at its default.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let set = |it: &Value| match it {
        Value::Null => false,
        Value::Bool(it) => *it,
        Value::Number(it) => it.as_i64() != Some(0),
        Value::String(it) => !it.is_empty(),
        Value::Array(it) => !it.is_empty(),
        Value::Object(_) => true,
    };
    Value::Object(
        fields
            .into_iter()
            .filter(|(_, it)| set(it))
            .map(|(key, it)| (key.to_owned(), it))
            .collect(),
    )
}

fn digit(it: Option<char>) -> Value {
    it.map_or(Value::Null, |it| it.to_string().into())
}

/// `None`: the field is absent; empty text is there, as the contract's `optional` has it.
fn optional(it: Option<String>) -> Value {
    it.map_or_else(|| json!({}), |value| json!({ "value": value }))
}

fn name(it: Option<&'static str>, number: i32) -> Value {
    it.map_or_else(|| number.into(), Into::into)
}

/// A result; `text` is for the commands whose text is not a variable's value.
pub(crate) fn result(it: Result<Outcome, Error>, text: bool) -> Value {
    let outcome = match it {
        Ok(outcome) => outcome,
        Err(it) => return json!({ "error": error(&it) }),
    };
    match outcome {
        Outcome::Done => json!({"done": {}}),
        Outcome::Playback(it) => {
            let mut fields = Map::new();
            if let Some(digit) = it.digit {
                fields.insert("digit".to_owned(), digit.to_string().into());
            }
            match it.end {
                Some(Position::Samples(at)) => {
                    fields.insert("endSamples".to_owned(), at.into());
                }
                Some(Position::Milliseconds(at)) => {
                    fields.insert("endMilliseconds".to_owned(), at.into());
                }
                None => {}
            }
            json!({ "playback": fields })
        }
        Outcome::Digit(it) => json!({ "digit": object([("digit", digit(it))]) }),
        Outcome::Digits(it) => json!({
            "digits": object([("digits", it.digits.into()), ("timedOut", it.timed_out.into())])
        }),
        Outcome::Value(it) if text => result(Ok(Outcome::Text(it)), text),
        Outcome::Value(it) => json!({ "value": optional(it) }),
        Outcome::ChannelStatus(it) => {
            let number = it.number();
            let name =
                name(proto::ChannelState::try_from(number).ok().map(|it| it.as_str_name()), number);
            json!({ "channelStatus": { "state": name } })
        }
        Outcome::Exec(it) => json!({ "exec": object([("result", it.into())]) }),
        Outcome::Recording(it) => {
            let number = it.end.number();
            let end =
                proto::recording_result::End::try_from(number).ok().map(|it| it.as_str_name());
            json!({ "recording": object([
                ("end", name(end, number)),
                ("digit", digit(it.digit)),
                ("endSamples", it.end_samples.into()),
            ]) })
        }
        Outcome::Text(it) => {
            it.map_or_else(|| json!({"text": {}}), |it| json!({ "text": { "text": it } }))
        }
        Outcome::Speech(it) => {
            let number = it.end.number();
            let end = proto::speech_result::End::try_from(number).ok().map(|it| it.as_str_name());
            let matches: Vec<_> = it
                .matches
                .into_iter()
                .map(|it| {
                    object([
                        ("score", it.score.into()),
                        ("text", it.text.into()),
                        ("grammar", it.grammar.into()),
                    ])
                })
                .collect();
            json!({ "speech": object([
                ("end", name(end, number)),
                ("matches", matches.into()),
                ("digit", digit(it.digit)),
                ("endSamples", it.end_samples.into()),
            ]) })
        }
        Outcome::Gosub(it) => json!({ "gosub": object([
            ("abnormalExit", it.abnormal_exit.into()),
            ("returnValue", it.return_value.into()),
        ]) }),
        Outcome::Raw(it) => {
            let mut fields = object([
                ("code", it.code.into()),
                ("result", it.result.into()),
                ("text", it.text.into()),
            ]);
            if let Some(value) = it.value {
                fields["value"] = value.into();
            }
            json!({ "raw": fields })
        }
        _ => json!({"unknown": {}}),
    }
}

fn error(it: &Error) -> Value {
    let (code, detail) = match it {
        Error::HungUp => ("CODE_HUNG_UP".to_owned(), ""),
        Error::Command(it) if matches!(it.code, Code::Unknown(_)) => {
            (it.code.to_string(), it.detail.as_str())
        }
        Error::Command(it) => (format!("CODE_{}", it.code), it.detail.as_str()),
        Error::Lost(_) => ("LOST".to_owned(), ""),
        Error::NoInput { .. } => ("NO_INPUT".to_owned(), ""),
        Error::Misuse(_) => ("MISUSE".to_owned(), ""),
        Error::Manager(_) | _ => ("UNKNOWN".to_owned(), ""),
    };
    object([("code", code.into()), ("message", it.to_string().into()), ("detail", detail.into())])
}

/// What the call says of itself.
pub(crate) fn started(call: &Call) -> Value {
    let mut query = Map::new();
    for (key, value) in call.query_parameters() {
        if let Some(values) = query.entry(key).or_insert_with(|| json!([])).as_array_mut() {
            values.push(value.into());
        }
    }
    let it = call.channel();
    let channel = object([
        ("name", it.name.as_str().into()),
        ("uniqueId", it.unique_id.as_str().into()),
        ("type", it.channel_type.as_str().into()),
        ("language", it.language.as_str().into()),
        ("callerIdNumber", it.caller_id_number.as_str().into()),
        ("callerIdName", it.caller_id_name.as_str().into()),
        ("dialedNumber", it.dialed_number.as_str().into()),
        ("redirectingNumber", it.redirecting_number.as_str().into()),
        ("context", it.context.as_str().into()),
        ("extension", it.extension.as_str().into()),
        ("priority", it.priority.into()),
        ("accountCode", it.account_code.as_str().into()),
        ("asteriskVersion", it.asterisk_version.as_str().into()),
    ]);
    json!({
        "callId": call.call_id(),
        "route": call.route(),
        "pathParameters": call.path_parameters(),
        "queryParameters": query,
        "arguments": call.arguments(),
        "channel": channel,
        "environment": call.environment(),
        "maxQueuedCommands": call.max_queued_commands(),
    })
}

fn past(it: &PastResult) -> Value {
    let mut fields = result(it.outcome.clone(), false);
    fields["id"] = it.id.into();
    fields
}

pub(crate) fn resumption(it: &Resumption) -> Value {
    let cause = proto::resumption::Cause::try_from(it.cause.number()).ok();
    json!({
        "cause": name(cause.map(|it| it.as_str_name()), it.cause.number()),
        "attempt": it.attempt,
        "checkpoint": it.checkpoint.as_deref().map(base64),
        "results": it.results.iter().map(past).collect::<Vec<_>>(),
        "resultsTruncated": it.results_truncated,
        "hungUp": it.hung_up,
        "lastCommandId": it.last_command_id,
        "running": it.running.as_ref().map(agibridge::Running::id),
    })
}

pub(crate) fn hangup(it: &Hangup) -> Value {
    let number = it.source.number();
    let source = proto::hangup::Source::try_from(number).ok().map(|it| it.as_str_name());
    json!({ "source": name(source, number), "grace": duration_text(it.grace) })
}

pub(crate) fn ended(it: &Ended) -> Value {
    let number = it.reason.number();
    let reason = proto::call_ended::Reason::try_from(number).ok().map(|it| it.as_str_name());
    json!({
        "reason": name(reason, number),
        "detail": it.detail,
        "duration": duration_text(it.duration),
        "commands": it.commands,
    })
}
