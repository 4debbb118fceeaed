//! What Asterisk itself keeps of the requests to originate, in its database (AstDB): whoever dials remembers whom. So a bridge that
//! was killed and started again, or another one beside it, knows what was asked before.
//!
//! An entry is written before the call, without an outcome, and once more with it. Without one, the call may have been made or not.

use super::unanswered;
use crate::{
    ami::{Action, ActionError, Filter, Item, Link, Links, Reply},
    proto::originate_response::Outcome,
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{MissedTickBehavior, interval};
use tonic::{Code, Status};
use tracing::debug;

/// A request id is remembered for so long after its request.
pub(super) const KEPT: Duration = Duration::from_secs(3600);

/// The family in AstDB.
const FAMILY: &str = "agi-bridge-originate";
/// AstDB answers in no time, or Asterisk is in trouble.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often old entries are looked for.
const TIDY_INTERVAL: Duration = Duration::from_secs(600);
/// For the list of all entries.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest text of an entry, in bytes: what is kept must fit into one line of the manager, whatever JSON makes of it.
const TEXT_MAX: usize = 100;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// What was asked for.
    pub(super) fingerprint: String,
    /// When, in seconds since 1970.
    pub(super) at: u64,
    /// Until then it may ring, in seconds since 1970.
    pub(super) until: u64,
    /// The contract's number; absent: it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<i32>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) channel: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) detail: String,
}

impl Entry {
    pub(super) fn new(fingerprint: String, ring_timeout: Duration) -> Self {
        let at = now();
        let until = at + ring_timeout.as_secs();
        Self {
            fingerprint,
            at,
            until,
            outcome: None,
            channel: String::new(),
            detail: String::new(),
        }
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.outcome.and_then(|number| Outcome::try_from(number).ok())
    }

    /// How long it may ring yet.
    pub(super) fn rings_for(&self) -> Duration {
        Duration::from_secs(self.until.saturating_sub(now()))
    }

    fn is_over(&self) -> bool {
        self.at.saturating_add(KEPT.as_secs()) < now()
    }

    fn text(&self) -> String {
        let short = |text: &str| text.chars().filter(char::is_ascii).take(TEXT_MAX).collect();
        let entry =
            Self { channel: short(&self.channel), detail: short(&self.detail), ..self.clone() };
        serde_json::to_string(&entry).unwrap_or_default()
    }
}

/// The entry under `key`, unless it is too old to count.
pub(super) async fn read(link: &Link, key: &str) -> Result<Option<Entry>, Status> {
    let reply = send(link, get(key), TIMEOUT).await?;
    if reply.is_success() {
        // What is not ours is taken for a request of which nothing is known: it is not dialled.
        let text = reply.events.first().and_then(|event| event.headers.get("Val"));
        let entry = text.and_then(|text| serde_json::from_str(text).ok());
        let unknown = || {
            Status::data_loss(format!(
                "asterisk has an entry for this request that cannot be read: delete {FAMILY}/{key} in its database"
            ))
        };
        return entry.map(|entry: Entry| (!entry.is_over()).then_some(entry)).ok_or_else(unknown);
    }
    if reply.message().contains("not found") {
        return Ok(None);
    }
    Err(refused(&reply))
}

/// Writes an entry; only `Ok` means that it is kept.
pub(super) async fn write(link: &Link, key: &str, entry: &Entry) -> Result<(), Status> {
    let text = entry.text();
    let action = of("DBPut", key).and_then(|action| action.header("Val", &text));
    let reply = send(link, action, TIMEOUT).await?;
    if reply.is_success() { Ok(()) } else { Err(refused(&reply)) }
}

/// Takes an entry away whose action was never written.
pub(super) async fn forget(link: &Link, key: &str) -> Result<(), Status> {
    let reply = send(link, of("DBDel", key), TIMEOUT).await?;
    if reply.is_success() { Ok(()) } else { Err(refused(&reply)) }
}

/// Deletes old entries from now on, of each Asterisk that is connected.
pub(super) fn keep_tidy(links: &Links) {
    // Only states are wanted: no event has this name.
    let filter = Filter { names: vec!["-".to_owned()], ..Filter::default() };
    let mut states = links.subscribe(filter);
    let links = links.clone();
    tokio::spawn(async move {
        let mut ticks = interval(TIDY_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let names: Vec<_> = tokio::select! {
                item = states.next() => match item {
                    None => return,
                    Some(Item::State(state)) if state.connected => vec![state.server],
                    Some(Item::State(_) | Item::Event(_) | Item::Missed(_)) => continue,
                },
                _ = ticks.tick() => links.states().into_iter().map(|state| state.server).collect(),
            };
            for name in names {
                let Ok(link) = links.server(&name) else { continue };
                if let Err(status) = tidy(&link).await {
                    debug!(server = %name, error = status.message(), "old requests were not deleted");
                }
            }
        }
    });
}

async fn tidy(link: &Link) -> Result<(), Status> {
    let list = Action::new("DBGetTree").and_then(|action| action.header("Family", FAMILY));
    let reply = send(link, list, LIST_TIMEOUT).await?;
    for event in &reply.events {
        let key = event.headers.get("Key").and_then(|key| key.rsplit('/').next());
        let entry =
            event.headers.get("Val").and_then(|text| serde_json::from_str::<Entry>(text).ok());
        if let (Some(key), true) = (key, entry.is_none_or(|entry| entry.is_over())) {
            forget(link, key).await?;
        }
    }
    Ok(())
}

fn get(key: &str) -> Result<Action, ActionError> {
    of("DBGet", key)
}

fn of(action: &str, key: &str) -> Result<Action, ActionError> {
    Action::new(action)?.header("Family", FAMILY)?.header("Key", key)
}

async fn send(
    link: &Link,
    action: Result<Action, ActionError>,
    timeout: Duration,
) -> Result<Reply, Status> {
    let action = action.map_err(|error| Status::internal(error.to_string()))?;
    // Nothing was dialled yet, or its outcome is known: all of this may be asked again.
    link.send(action, timeout, None).await.map_err(|error| {
        let code = unanswered(&error).code();
        let code = if code == Code::ResourceExhausted { code } else { Code::Unavailable };
        Status::new(
            code,
            format!("nothing was dialled: asterisk's database could not be asked ({error})"),
        )
    })
}

fn refused(reply: &Reply) -> Status {
    Status::failed_precondition(format!(
        "request_id: asterisk does not let the bridge keep requests in its database ({}): the manager's user needs the class `system` for `write`; without request_id a call can be made, and no retry is safe",
        reply.message()
    ))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_fits_into_one_line_and_comes_back() {
        let mut entry = Entry::new("f".repeat(32), Duration::from_secs(30));
        assert_eq!(serde_json::from_str::<Entry>(&entry.text()).unwrap(), entry);
        assert_eq!((entry.outcome(), entry.is_over()), (None, false));
        entry.outcome = Some(Outcome::Busy.into());
        entry.channel = "\"\\\n".repeat(100);
        entry.detail = "\u{1}ü".repeat(500);
        let text = entry.text();
        assert!(text.len() < 1000 && !text.contains('\n'), "{}", text.len());
        let back: Entry = serde_json::from_str(&text).unwrap();
        assert_eq!(back.outcome(), Some(Outcome::Busy));
        assert!(Entry { at: 1, ..back }.is_over());
    }
}
