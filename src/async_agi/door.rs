//! Shares the manager's events out to the calls, by the unique ids of their channels, and begins new calls. Knows nothing of what a
//! call does.

use super::{
    claim::{self, Claim, Sign, Step},
    environment::{self, decode},
    line::{self, Channel, Heard},
};
use crate::{
    ami::{Action, Event, Filter, Item, Link, Links, Reply, SendError, ServerState},
    session::Shared,
};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncWriteExt as _, DuplexStream},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, warn};

/// Events that tell of a call.
const NAMES: [&str; 6] = [
    "AsyncAGIStart",
    "AsyncAGIExec",
    "AsyncAGIEnd",
    "HangupRequest",
    "SoftHangupRequest",
    "Hangup",
];
/// How often claims look at the clock.
const TICK: Duration = Duration::from_millis(500);
/// What an event that is late may still say of a call that has ended.
const KEPT_AFTER_END: Duration = Duration::from_secs(2);
/// Channels in async AGI that are followed; far above what an Asterisk carries.
const CHANNELS_MAX: usize = 65_536;
/// Events that wait for a call's task: it has one command at a time.
const HEARD_MAX: usize = 64;
/// For the list of all channels.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// How a call is sent back that has no session: AGISTATUS says FAILURE then.
const FAILURE: &[u8] = b"failure\n";
/// What the dialplan can read of a call that lost its bridge.
const ORPHAN: &[u8] = b"SET VARIABLE \"AGIBRIDGE_STATUS\" \"LOST\"\n\
    SET VARIABLE \"AGIBRIDGE_REASON\" \"the bridge that had the call is gone\"\n";

/// A call on its way to a core.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The bytes of its AGI session.
    pub(crate) pipe: DuplexStream,
    /// The manager of its Asterisk.
    pub(crate) peer: SocketAddr,
}

/// The task that sees to all async AGI calls.
#[derive(Debug)]
pub(crate) struct Door {
    links: Links,
    shared: Arc<Shared>,
    cores: Vec<mpsc::Sender<Arrival>>,
    /// Names this process to other bridges.
    bridge: String,
    began: Instant,
    sessions: u64,
    peers: HashMap<Arc<str>, SocketAddr>,
    channels: HashMap<Key, Entry>,
}

/// A channel of one Asterisk, by its unique id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    server: Arc<str>,
    unique_id: String,
}

#[derive(Debug)]
struct Entry {
    session: u64,
    claim: Claim,
    /// None: it began before we looked.
    environment: Option<String>,
    /// The call's task, once it is ours.
    task: Option<mpsc::Sender<Heard>>,
    ended_at: Option<Duration>,
}

/// Channels that were in async AGI already when a link came up.
type Found = (Arc<str>, Vec<String>);

impl Door {
    pub(crate) fn new(
        links: Links,
        shared: Arc<Shared>,
        cores: Vec<mpsc::Sender<Arrival>>,
    ) -> Self {
        Self {
            links,
            shared,
            cores,
            bridge: format!("{:016x}", rand::random::<u64>()),
            began: Instant::now(),
            sessions: 0,
            peers: HashMap::new(),
            channels: HashMap::new(),
        }
    }

    /// Until the links end.
    pub(crate) async fn run(mut self) {
        let names = NAMES.map(str::to_owned).to_vec();
        let of_calls = Filter { names, ..Filter::default() };
        let of_ends = Filter {
            names: vec!["VarSet".to_owned()],
            headers: vec![("Variable".to_owned(), "AGISTATUS".to_owned())],
            server: None,
        };
        // One subscription: why a session ended is told in order with its end.
        let mut events = self.links.subscribe_any(vec![of_calls, of_ends]);
        let (finder, mut found) = mpsc::channel(16);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                item = events.next() => match item {
                    Some(Item::Event(event)) => self.event(&event),
                    Some(Item::State(state)) => self.state(&state, &finder),
                    Some(Item::Missed(_)) => self.lose_all(&finder),
                    None => return,
                },
                Some((server, channels)) = found.recv() => self.found(&server, channels),
                _ = ticks.tick() => self.tick(),
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let header = |name| event.headers.get(name).unwrap_or_default();
        let key =
            Key { server: Arc::clone(&event.server), unique_id: header("Uniqueid").to_owned() };
        let now = self.began.elapsed();
        if event.name().eq_ignore_ascii_case("AsyncAGIStart") {
            return self.begun(key, header("Env"), now);
        }
        let Some(entry) = self.channels.get_mut(&key) else { return };
        match event.name().to_ascii_lowercase().as_str() {
            "asyncagiexec" => {
                // A command of somebody else's program says nothing.
                let Some((bridge, sign)) = claim::read(header("CommandId")) else { return };
                let by_us = bridge == self.bridge;
                if let (true, Sign::Command(what)) = (by_us, sign)
                    && let Some(number) = line::number(what, entry.session)
                {
                    return entry.tell(Heard::Done { number, result: decode(header("Result")) });
                }
                let step = entry.claim.done(by_us, sign, now);
                self.act(&key, step);
            }
            "asyncagiend" => {
                let channel_state = header("ChannelState").parse().unwrap_or_default();
                entry.tell(Heard::Ended { channel_state });
                entry.ended_at = Some(now);
            }
            "varset" => entry.tell(Heard::Status(header("Value").to_owned())),
            "hangup" => {
                entry.tell(Heard::HangUp);
                self.channels.remove(&key);
            }
            _ => entry.tell(Heard::HangUp),
        }
    }

    fn begun(&mut self, key: Key, environment: &str, now: Duration) {
        if !self.takes(&key.server) {
            return;
        }
        if self.channels.len() >= CHANNELS_MAX {
            return warn!(server = %key.server, "an async AGI call is left alone: {CHANNELS_MAX} are followed already");
        }
        let is_welcome = {
            let (shared, rules) = (&self.shared, self.shared.rules.load());
            !shared.drain.begun() && shared.registry.active() < rules.max_calls
        };
        let claim = Claim::begun(is_welcome, now);
        self.insert(key, claim, Some(environment.to_owned()), now);
    }

    fn found(&mut self, server: &Arc<str>, channels: Vec<String>) {
        let now = self.began.elapsed();
        for unique_id in channels {
            let key = Key { server: Arc::clone(server), unique_id };
            if self.channels.len() < CHANNELS_MAX && !self.channels.contains_key(&key) {
                self.insert(key, Claim::found(now), None, now);
            }
        }
    }

    fn insert(&mut self, key: Key, claim: Claim, environment: Option<String>, now: Duration) {
        self.sessions += 1;
        let session = self.sessions;
        let mut entry = Entry { session, claim, environment, task: None, ended_at: None };
        let step = entry.claim.tick(now);
        self.channels.insert(key.clone(), entry);
        self.act(&key, step);
    }

    fn tick(&mut self) {
        let now = self.began.elapsed();
        let is_kept =
            |entry: &Entry| entry.ended_at.is_none_or(|ended| now < ended + KEPT_AFTER_END);
        self.channels.retain(|_, entry| is_kept(entry));
        let lively = self.channels.iter_mut().filter(|(_, entry)| entry.ended_at.is_none());
        let due: Vec<_> =
            lively.filter_map(|(key, entry)| Some((key.clone(), entry.tick(now)?))).collect();
        for (key, step) in due {
            self.act(&key, Some(step));
        }
    }

    fn act(&mut self, key: &Key, step: Option<Step>) {
        let Some(step) = step else { return };
        let Ok(link) = self.links.server(&key.server) else { return };
        let Some(entry) = self.channels.get_mut(key) else { return };
        let channel = Channel {
            link,
            unique_id: key.unique_id.clone(),
            bridge: self.bridge.clone(),
            session: entry.session,
        };
        match step {
            Step::Send(sign) => drop(tokio::spawn(line::sign(channel, sign))),
            Step::Begin => {
                let environment = entry.environment.take().unwrap_or_default();
                let taken = match environment::prelude(&environment) {
                    Ok(prelude) => {
                        let pipe = entry.start(channel, prelude);
                        self.give_away(pipe, &key.server)
                    }
                    Err(forged) => {
                        warn!(channel = key.unique_id, %forged, "an async AGI call is sent back");
                        Err(entry.start(channel, Vec::new()))
                    }
                };
                if let Err(pipe) = taken {
                    tokio::spawn(send_back(pipe, FAILURE.to_vec()));
                }
            }
            Step::Release => {
                let channel_id = &key.unique_id;
                warn!(
                    channel = channel_id,
                    "an async AGI call is sent back: nobody drives it any more"
                );
                let pipe = entry.start(channel, Vec::new());
                tokio::spawn(send_back(pipe, [ORPHAN, FAILURE].concat()));
            }
        }
    }

    /// To the core with the most room; an error: none has any.
    fn give_away(&self, pipe: DuplexStream, server: &Arc<str>) -> Result<(), DuplexStream> {
        let core = self.cores.iter().max_by_key(|core| core.capacity());
        let (Some(core), Some(peer)) = (core, self.peers.get(server).copied()) else {
            return Err(pipe);
        };
        core.try_send(Arrival { pipe, peer }).map_err(|refused| {
            warn!("an async AGI call is sent back: the core has no room for it");
            refused.into_inner().pipe
        })
    }

    /// Nothing is known any more of what happens at the channels.
    fn lose_all(&mut self, finder: &mpsc::Sender<Found>) {
        warn!("events of the manager were missed: async AGI calls are lost");
        self.channels.clear();
        for link in self.links.all() {
            self.find(&link, finder);
        }
    }

    fn find(&self, link: &Link, finder: &mpsc::Sender<Found>) {
        if link.takes_async_agi() {
            tokio::spawn(find(link.clone(), finder.clone()));
        }
    }

    fn state(&mut self, state: &ServerState, finder: &mpsc::Sender<Found>) {
        let server = &state.server;
        match state.address.filter(|_| state.connected) {
            None => {
                self.peers.remove(server);
                // As if their connections had broken: Asterisk's side is seen to when the link is back.
                self.channels.retain(|key, _| key.server != *server);
            }
            Some(peer) => {
                self.peers.insert(Arc::clone(server), peer);
                if let Ok(link) = self.links.server(server) {
                    self.find(&link, finder);
                }
            }
        }
    }

    fn takes(&self, server: &str) -> bool {
        self.links.server(server).is_ok_and(|link| link.takes_async_agi())
    }
}

impl Entry {
    /// Begins the call's task; `first`: what the session reads first. The other end is the session's.
    fn start(&mut self, channel: Channel, first: Vec<u8>) -> DuplexStream {
        let (session, asterisk) = tokio::io::duplex(line::PIPE_BYTES);
        let (sender, heard) = mpsc::channel(HEARD_MAX);
        self.task = Some(sender);
        tokio::spawn(line::run(channel, asterisk, heard, first));
        session
    }

    /// A task that ends before its session, as when the link takes nothing for long, must not leave the caller waiting.
    fn tick(&mut self, now: Duration) -> Option<Step> {
        let is_driven = self.task.as_ref().is_some_and(|task| !task.is_closed());
        if is_driven { None } else { self.claim.abandon().or_else(|| self.claim.tick(now)) }
    }

    fn tell(&mut self, heard: Heard) {
        // One that does not take it has lost its place in the session.
        if self.task.as_ref().is_some_and(|task| task.try_send(heard).is_err()) {
            self.task = None;
        }
    }
}

/// In the place of a session: says this, and ends.
async fn send_back(mut pipe: DuplexStream, last_words: Vec<u8>) {
    // The buffer has room for it. Where the task is gone, so is the channel.
    let _ = pipe.write_all(&last_words).await;
}

/// The channels that are in async AGI now.
async fn find(link: Link, finder: mpsc::Sender<Found>) {
    match list(&link).await {
        Ok(reply) => {
            let channels = reply.events.iter().filter_map(|event| {
                let header = |name| event.headers.get(name).unwrap_or_default();
                let is_async = header("Application").eq_ignore_ascii_case("AGI")
                    && header("ApplicationData").trim_start().starts_with("agi:async");
                is_async.then(|| header("Uniqueid").to_owned())
            });
            // The door has gone when nobody takes it.
            let _ = finder.send((Arc::clone(link.server()), channels.collect())).await;
        }
        Err(error) => {
            debug!(server = %link.server(), %error, "calls that lost their bridge are not known");
        }
    }
}

async fn list(link: &Link) -> Result<Reply, SendError> {
    link.send_spanless(&Action::new("CoreShowChannels")?, LIST_TIMEOUT).await
}
