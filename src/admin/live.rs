//! What changes, as server-sent events. A view is looked at a few times a second, whatever happens in calls, and only while its
//! reader takes what it is sent: who is slow gets the newest state and nothing in between.
//!
//! | event | data |
//! |---|---|
//! | `bridge` | how the bridge is: its start, version, readiness and calls; the first event, and whenever it changes |
//! | `state` | the whole view; of a call or a phone what is new |
//! | `gone` | what was asked for is not there (any more); the last event |

use super::{
    Parts,
    history::{self, EndedParameters},
    permission::Client,
    phone::Phones,
    readiness::Condition,
    routes::{Failure, Shared},
    server::Connection,
};
use crate::{
    session::{recorder::Reader, registry::Page},
    sse,
};
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};
use uuid::Uuid;

/// Readers at once; each costs a look a second.
const STREAMS_MAX: usize = 32;
/// Calls of a page, at most.
const PAGE_MAX: usize = 200;
/// How often lists are looked at.
const LIST_PERIOD: Duration = Duration::from_secs(1);
/// How often one call is.
const CALL_PERIOD: Duration = Duration::from_millis(200);
/// Then the reader asks again, with whatever right it has by then.
const AGE_MAX: Duration = Duration::from_secs(3600);

/// Names this process, so that a page notices that it talks to another one.
static INSTANCE: LazyLock<Uuid> = LazyLock::new(Uuid::now_v7);

/// How many readers there may be.
#[derive(Debug, Clone)]
pub(super) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STREAMS_MAX)))
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Of {
    Calls,
    Ended,
    Routes,
    Call,
    Phone,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Parameters {
    of: Of,
    /// Of `call` and `phone`.
    #[serde(default)]
    id: String,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
    before: Option<u64>,
    route: Option<String>,
    #[serde(default)]
    callers: bool,
}

pub(super) async fn events(
    State(parts): Shared,
    Extension(streams): Extension<Streams>,
    Extension(phones): Extension<Arc<Phones>>,
    Extension(connection): Extension<Connection>,
    client: Client,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(asked) = query?;
    // A phone's talk is shown as it is, so it is for those who may make a call.
    let wants_more = asked.callers || asked.of == Of::Phone;
    let reader = history::reader(&parts, wants_more, &client)?;
    let place = streams.0.try_acquire_owned().map_err(|_| {
        let full = format!("{STREAMS_MAX} readers follow the bridge already");
        Failure(StatusCode::SERVICE_UNAVAILABLE, full)
    })?;
    connection.live_long();
    let began = Instant::now();
    let watch = Watch {
        parts,
        phones,
        asked,
        reader,
        since: 0,
        bridge: String::new(),
        state: String::new(),
        spoke: began,
        began,
        first: true,
        over: false,
        _place: place,
    };
    let closing = connection.closing;
    let events = stream::unfold(watch, move |mut watch| {
        let closing = closing.clone();
        async move {
            let next = tokio::select! {
                () = closing.cancelled() => None,
                next = watch.next() => next,
            };
            next.map(|text| (Ok::<_, std::convert::Infallible>(Bytes::from(text)), watch))
        }
    });
    Ok(([(header::CONTENT_TYPE, sse::CONTENT_TYPE)], Body::from_stream(events)).into_response())
}

/// One reader, and what it knows already.
struct Watch {
    parts: Arc<Parts>,
    phones: Arc<Phones>,
    asked: Parameters,
    reader: Reader,
    /// Of a call or a phone: the revision that the reader has.
    since: u32,
    bridge: String,
    state: String,
    spoke: Instant,
    began: Instant,
    first: bool,
    over: bool,
    _place: OwnedSemaphorePermit,
}

/// What there is to be said of a view.
enum News {
    Nothing,
    State(String),
    /// This is the last of it.
    Last(String),
    Gone(String),
}

impl Watch {
    /// The next events, as text; none when the stream is over.
    async fn next(&mut self) -> Option<String> {
        while !self.over && self.began.elapsed() < AGE_MAX {
            if !std::mem::replace(&mut self.first, false) {
                sleep(self.period()).await;
            }
            let text = self.look();
            if !text.is_empty() {
                self.spoke = Instant::now();
                return Some(text);
            }
            if self.spoke.elapsed() >= sse::SILENCE_MAX {
                self.spoke = Instant::now();
                return Some(sse::COMMENT.to_owned());
            }
        }
        None
    }

    fn period(&self) -> Duration {
        match self.asked.of {
            Of::Calls | Of::Ended | Of::Routes => LIST_PERIOD,
            Of::Call | Of::Phone => CALL_PERIOD,
        }
    }

    fn look(&mut self) -> String {
        let mut text = String::new();
        let bridge = bridge(&self.parts);
        if bridge != self.bridge {
            // The time is told with it, and no reason to tell it.
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            let (head, _) = bridge.rsplit_once('}').unwrap_or((&bridge, ""));
            sse::event(&mut text, "bridge", &format!("{head},\"now_ms\":{now}}}"));
            self.bridge = bridge;
        }
        match self.view() {
            News::Nothing => {}
            News::State(state) => sse::event(&mut text, "state", &state),
            News::Last(state) => {
                self.over = true;
                sse::event(&mut text, "state", &state);
                sse::event(&mut text, "gone", "{}");
            }
            News::Gone(why) => {
                self.over = true;
                sse::event(&mut text, "gone", &json!({"error": why}).to_string());
            }
        }
        text
    }

    fn view(&mut self) -> News {
        match self.asked.of {
            Of::Calls => self.whole(calls(&self.parts, &self.asked, self.reader)),
            Of::Ended => {
                let query = EndedParameters::of(&self.asked).into();
                self.whole(to_json(&self.parts.recorder.ended(&query, self.reader)))
            }
            Of::Routes => self.whole(to_json(&json!({"routes": routes(&self.parts)}))),
            Of::Call => self.call(),
            Of::Phone => match self.phones.news(&self.asked.id, self.since, &self.parts.registry) {
                None => News::Gone("there is no such simulated call (any more)".to_owned()),
                Some(news) => {
                    let (over, fresh) = (news.is_over(), news.revision != self.since);
                    self.since = news.revision;
                    match (over, fresh) {
                        (true, _) => News::Last(to_json(&news)),
                        (false, true) => News::State(to_json(&news)),
                        (false, false) => News::Nothing,
                    }
                }
            },
        }
    }

    fn call(&mut self) -> News {
        // The same moment each time: ages are for the reader to count.
        let now = SystemTime::UNIX_EPOCH;
        let found = history::one(&self.parts, &self.asked.id, self.since, self.reader, now);
        let call = match found {
            Ok(call) => call,
            Err(error) => return News::Gone(error.to_string()),
        };
        let (over, news) = (call.is_over(), call.has_news());
        self.since = call.revision();
        if over {
            return News::Last(to_json(&call));
        }
        let state = to_json(&call);
        if news || state != self.state {
            self.state = if news { String::new() } else { state.clone() };
            return News::State(state);
        }
        News::Nothing
    }

    /// A view that is sent as a whole, when it differs from what was sent before.
    fn whole(&mut self, state: String) -> News {
        if state == self.state {
            return News::Nothing;
        }
        self.state.clone_from(&state);
        News::State(state)
    }
}

impl EndedParameters {
    fn of(asked: &Parameters) -> Self {
        let limit = asked.limit.unwrap_or(PAGE_MAX).min(PAGE_MAX);
        Self::page(limit, asked.before, asked.route.clone())
    }
}

/// Every route in force, with how its calls did.
pub(super) fn routes(parts: &Parts) -> Vec<super::RouteView> {
    let mut tallies = parts.recorder.tallies();
    let mut routes = parts.routes.list();
    for route in &mut routes {
        route.tally = tallies.remove(route.name.as_str());
    }
    routes
}

fn calls(parts: &Parts, asked: &Parameters, reader: Reader) -> String {
    let limit = asked.limit.unwrap_or(100).min(PAGE_MAX);
    let page = Page { offset: asked.offset, limit, route: asked.route.as_deref() };
    let callers = history::callers(reader);
    let (count, calls) = parts.registry.page(&page, SystemTime::UNIX_EPOCH, callers);
    to_json(&json!({"count": count, "offset": asked.offset, "calls": calls}))
}

fn bridge(parts: &Parts) -> String {
    let missing: Vec<&str> = Condition::ALL
        .into_iter()
        .filter(|condition| !parts.readiness.holds(*condition))
        .map(Condition::text)
        .collect();
    to_json(&json!({
        "instance": INSTANCE.to_string(),
        "version": env!("CARGO_PKG_VERSION"),
        "active": parts.registry.active(),
        "missing": missing,
        "recorder": parts.recorder.is_on(),
        "token": !parts.settings.load().access.is_empty(),
        "phone": parts.phone.is_some(),
    }))
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("views are made of text, numbers and lists")
}
