//! The phone in the page: simulated calls that this bridge makes to itself, played from a browser.

use super::{
    permission::{Client, Right},
    routes::{Failure, Shared, taken},
};
use crate::{
    phone::{self, Entry, Options, Phone, Report},
    scenario::{self, Act},
    session::registry::Registry,
};
use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, interval},
};
use tracing::info;
use uuid::Uuid;

/// Simulated calls at once, and that are remembered.
const LINES_MAX: usize = 8;
/// Lines of one that are remembered.
const ENTRIES_MAX: usize = 500;
/// Lines after which the phone takes the service for mad.
const TRANSCRIPT_MAX: usize = 5_000;
/// Keys that wait to be pressed.
const ACTS_MAX: usize = 64;
/// A simulated call ends after so long.
const CALL_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// A page that is not there any more hangs up after so long.
const UNWATCHED_TIMEOUT: Duration = Duration::from_secs(20);
const WATCH_PERIOD: Duration = Duration::from_secs(2);
/// Of each text that a page gives.
const TEXT_BYTES_MAX: usize = 500;

/// The simulated calls of this bridge.
#[derive(Debug, Default)]
pub(super) struct Phones(Mutex<VecDeque<Arc<Line>>>);

/// One simulated call.
#[derive(Debug)]
struct Line {
    id: String,
    channel: String,
    acts: mpsc::Sender<Act>,
    heard: Mutex<Heard>,
}

#[derive(Debug)]
struct Heard {
    entries: VecDeque<Spoken>,
    revision: u32,
    call_id: Option<Uuid>,
    end: Option<End>,
    watched: Instant,
}

/// One line of the transcript.
#[derive(Debug, Clone, Serialize)]
struct Spoken {
    number: u32,
    at: f64,
    speaker: &'static str,
    text: String,
}

/// How it ended.
#[derive(Debug, Clone, Serialize)]
struct End {
    agistatus: &'static str,
    detail: String,
    duration_seconds: f64,
    /// Where the dialplan would go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
}

/// What is new of a simulated call.
#[derive(Debug, Serialize)]
pub(super) struct PhoneNews {
    id: String,
    channel: String,
    /// The call as the bridge has it, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<String>,
    pub(super) revision: u32,
    entries: Vec<Spoken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<End>,
}

impl PhoneNews {
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some()
    }
}

/// Whom to call, and as whom.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dialled {
    /// Path and query of the AGI URL.
    path: String,
    /// As `Alice <3200>`.
    #[serde(default)]
    caller_id: String,
    #[serde(default)]
    dialed_number: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pressed {
    keys: String,
}

pub(super) async fn dial(
    State(parts): Shared,
    Extension(phones): Extension<Arc<Phones>>,
    client: Client,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let (by, peer) = (parts.may(&client, Right::Change)?, client.address());
    let dialled: Dialled = read(body)?;
    let agi = parts.phone.ok_or_else(|| {
        Failure(StatusCode::NOT_FOUND, "this bridge has no phone of its own".to_owned())
    })?;
    let (options, url) = options(dialled, agi)?;
    info!(name: "agibridge.admin.phone", %peer, by = by.text(), url, "an operator makes a simulated call");
    let line = phones.dial(options, url)?;
    let told = json!({"id": line.id, "channel": line.channel});
    Ok((StatusCode::CREATED, Json(told)).into_response())
}

pub(super) async fn press(
    State(parts): Shared,
    Extension(phones): Extension<Arc<Phones>>,
    client: Client,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    parts.may(&client, Right::Change)?;
    let Pressed { keys } = read(body)?;
    if keys.is_empty() || keys.len() > ACTS_MAX || !keys.chars().all(scenario::is_key) {
        return Err(unfit("keys are 0-9 * # A-D"));
    }
    phones.act(&id, Act::Press(keys))
}

pub(super) async fn hang_up(
    State(parts): Shared,
    Extension(phones): Extension<Arc<Phones>>,
    client: Client,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    parts.may(&client, Right::Change)?;
    taken(body)?;
    phones.act(&id, Act::HangUp)
}

impl Phones {
    /// What is new since a revision; none when there is no such call.
    pub(super) fn news(&self, id: &str, since: u32, registry: &Registry) -> Option<PhoneNews> {
        let line = self.find(id)?;
        let mut heard = line.heard();
        heard.watched = Instant::now();
        if heard.call_id.is_none() && heard.end.is_none() {
            heard.call_id = registry.on_channel(&line.channel);
            heard.revision += u32::from(heard.call_id.is_some());
        }
        let entries = heard.entries.iter().filter(|entry| entry.number > since);
        Some(PhoneNews {
            id: line.id.clone(),
            channel: line.channel.clone(),
            call_id: heard.call_id.map(|id| id.to_string()),
            revision: heard.revision,
            entries: entries.cloned().collect(),
            end: heard.end.clone(),
        })
    }

    fn dial(self: &Arc<Self>, mut options: Options, url: String) -> Result<Arc<Line>, Failure> {
        let id = Uuid::new_v4().simple().to_string();
        let channel = format!("Console/{}", &id[..8]);
        options.caller.channel = Some(channel.clone());
        let (acts, receiver) = mpsc::channel(ACTS_MAX);
        let heard = Mutex::new(Heard {
            entries: VecDeque::new(),
            revision: 0,
            call_id: None,
            end: None,
            watched: Instant::now(),
        });
        let line = Arc::new(Line { id, channel, acts, heard });
        {
            let mut lines = self.lock();
            if lines.len() >= LINES_MAX {
                let Some(over) = lines.iter().position(|line| line.heard().end.is_some()) else {
                    let full = format!("{LINES_MAX} simulated calls run already");
                    return Err(Failure(StatusCode::TOO_MANY_REQUESTS, full));
                };
                lines.remove(over);
            }
            lines.push_back(Arc::clone(&line));
        }
        let listening = Arc::clone(&line);
        let phone = Phone::new(options)
            .with_observer(move |entry| listening.hear(entry))
            .with_acts(receiver);
        tokio::spawn(run(phone, url, Arc::clone(&line)));
        Ok(line)
    }

    fn act(&self, id: &str, act: Act) -> Result<Response, Failure> {
        let line = self.find(id).filter(|line| line.heard().end.is_none()).ok_or_else(|| {
            Failure(StatusCode::NOT_FOUND, "there is no such simulated call (any more)".to_owned())
        })?;
        line.acts.try_send(act).map_err(|_| {
            Failure(StatusCode::TOO_MANY_REQUESTS, "no phone is played as fast as that".to_owned())
        })?;
        Ok((StatusCode::ACCEPTED, Json(json!({"id": line.id}))).into_response())
    }

    fn find(&self, id: &str) -> Option<Arc<Line>> {
        self.lock().iter().find(|line| line.id == id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Line>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, entry: &Entry) {
        let mut heard = self.heard();
        heard.revision += 1;
        if heard.entries.len() == ENTRIES_MAX {
            heard.entries.pop_front();
        }
        let text = entry.text.chars().take(TEXT_BYTES_MAX).collect();
        let (number, speaker) = (heard.revision, entry.speaker.mark());
        heard.entries.push_back(Spoken { number, at: entry.at.as_secs_f64(), speaker, text });
    }

    fn end(&self, end: End) {
        let mut heard = self.heard();
        heard.revision += 1;
        heard.end = Some(end);
    }
}

async fn run(phone: Phone, url: String, line: Arc<Line>) {
    let mut call = Box::pin(phone.call(&url));
    let mut watch = interval(WATCH_PERIOD);
    let mut hung_up = false;
    let end = loop {
        tokio::select! {
            done = &mut call => break ended(done),
            _ = watch.tick() => {
                let unwatched = line.heard().watched.elapsed();
                if unwatched > 2 * UNWATCHED_TIMEOUT {
                    break failed("nobody watched this call any more".to_owned());
                }
                if unwatched > UNWATCHED_TIMEOUT && !std::mem::replace(&mut hung_up, true) {
                    let _ = line.acts.try_send(Act::HangUp);
                }
            }
        }
    };
    line.end(end);
}

fn ended(done: Result<Report, phone::Error>) -> End {
    match done {
        Ok(report) => End {
            agistatus: report.agistatus.as_str(),
            detail: report.ended.to_string(),
            duration_seconds: report.duration.as_secs_f64(),
            position: report
                .position
                .map(|at| format!("{},{},{}", at.context, at.extension, at.priority)),
        },
        Err(error) => failed(error.to_string()),
    }
}

fn failed(detail: String) -> End {
    End { agistatus: "FAILURE", detail, duration_seconds: 0.0, position: None }
}

fn options(dialled: Dialled, agi: SocketAddr) -> Result<(Options, String), Failure> {
    let Dialled { path, caller_id, dialed_number } = dialled;
    for text in [&path, &caller_id, &dialed_number] {
        if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(unfit("a path, a caller or a number is one short line"));
        }
    }
    if !path.starts_with('/') {
        return Err(unfit("a path begins with /"));
    }
    let mut options = Options { timeout: CALL_TIMEOUT, ..Options::default() };
    options.transcript_max = TRANSCRIPT_MAX;
    (options.caller.name, options.caller.number) = phone::caller_id(&caller_id);
    options.caller.dialed_number = dialed_number;
    Ok((options, format!("agi://{agi}{path}")))
}

fn read<T: for<'de> Deserialize<'de>>(body: Result<Bytes, BytesRejection>) -> Result<T, Failure> {
    let body = body.map_err(|error| Failure(error.status(), error.body_text()))?;
    serde_json::from_slice(&body).map_err(|error| unfit(&error.to_string()))
}

fn unfit(what: &str) -> Failure {
    Failure(StatusCode::BAD_REQUEST, what.to_owned())
}
