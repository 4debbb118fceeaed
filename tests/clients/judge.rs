//! Compares what a language did with what it should have done.

use crate::{play::Played, table::Cell};
use agi_bridge::{phone::Report, scenario::expect::compare};
use kit::transcript::difference;
use serde_json::Value;

/// Whether a scene went well in one column; `model` is what should have passed between Asterisk and the bridge.
pub(crate) fn judge(
    played: Result<Played, String>,
    model: &Result<Option<Vec<String>>, String>,
) -> Cell {
    let played = match played {
        Ok(played) if played.faults.is_empty() => played,
        Ok(played) => {
            let faults = played.faults.join("\n  ");
            return Cell::Failed(format!("\n  {faults}\n{}", played.lines.join("\n")));
        }
        Err(fault) => return Cell::Failed(fault),
    };
    match model {
        Ok(Some(model)) => match difference("model", model, "this one", &played.lines) {
            Some(text) => Cell::Failed(format!("the transcripts differ:\n{text}")),
            None => Cell::Passed,
        },
        Ok(None) => Cell::Failed("nothing to compare with".into()),
        Err(fault) => Cell::Failed(format!("the model failed: {fault}")),
    }
}

/// What is wrong with what a program told of one stream: `part` is what must be in it.
pub(crate) fn part(part: &Value, told: &Value) -> Vec<String> {
    let none = Vec::new();
    let wanted = part["results"].as_array().unwrap_or(&none);
    let got = told["results"].as_array().unwrap_or(&none);
    let mut faults = Vec::new();
    if part["results"].is_array() && wanted.len() != got.len() {
        faults.push(format!("results: expected {}, got {}", wanted.len(), got.len()));
    }
    // What an error says is up to the language, as long as it says something.
    let errors = got.iter().filter_map(|result| result.get("error"));
    let silent = errors.filter(|error| error["message"].as_str().is_none_or(str::is_empty));
    faults.extend(silent.map(|error| format!("an error without a message: {error}")));
    faults.extend(compare(part, &plain(told), "").err());
    faults
}

/// A command that the handler took back need not wait for the bridge's word that it was.
fn plain(told: &Value) -> Value {
    let mut told = told.clone();
    for result in told["results"].as_array_mut().into_iter().flatten() {
        if result["error"]["code"] == "CANCELLED_HERE" {
            result["error"]["code"] = "CODE_CANCELLED".into();
        }
    }
    told
}

/// The same for a stream of a call that the phone made; what the library says of it must agree with what Asterisk said.
pub(crate) fn stream(part: &Value, told: &Value, report: &Report) -> Vec<String> {
    let mut faults = self::part(part, told);
    let started = &told["started"];
    if started["callId"].as_str().is_none_or(|id| id.len() != 36) {
        faults.push("started.callId is no UUID".into());
    }
    let of_channel = |key: &str| started["channel"][key].as_str().unwrap_or_default().to_owned();
    let asterisk = |key: &str| started["environment"][key].as_str().unwrap_or_default().to_owned();
    for (property, line) in
        [("name", "agi_channel"), ("uniqueId", "agi_uniqueid"), ("context", "agi_context")]
    {
        if of_channel(property) != asterisk(line) || of_channel(property).is_empty() {
            faults.push(format!(
                "started.channel.{property} is {:?}, {line} {:?}",
                of_channel(property),
                asterisk(line)
            ));
        }
    }
    let hung_up = told["ended"]["reason"] == "REASON_HANGUP";
    if hung_up && told["hangup"].is_null() && told["resumption"]["hungUp"] != true {
        faults.push("the hangup was not told".into());
    }
    if !faults.is_empty() {
        faults.push(format!("told: {told}"));
        faults.push(format!("AGISTATUS: {:?}", report.agistatus));
    }
    faults
}
