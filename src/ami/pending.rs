//! Actions that wait for their answers, and the lists that are being collected for them. Knows no sockets and no time: whoever
//! asked gives up by itself, and its answer then finds nobody.

use super::{
    event::Event,
    link::{OUTSTANDING_MAX, Reply},
    packet::{ActionError, ActionId, Headers, Message},
};
use std::{collections::HashMap, sync::Arc, time::SystemTime};
use tokio::sync::oneshot;

/// Events of one list that are kept, and what they may take in all; an Asterisk with 10,000 channels has more than half of either.
const LIST_EVENTS_MAX: usize = 20_000;
const LIST_BYTES_MAX: usize = 16 << 20;

/// With those whose askers gave up, so that a late list is known for one. Above this the latter are forgotten.
const KNOWN_MAX: usize = 4 * OUTSTANDING_MAX;

/// What whoever asked gets; nothing at all when the link breaks.
pub(super) type Answer = Result<Reply, ActionError>;

#[derive(Debug)]
pub(super) struct Pending {
    server: Arc<str>,
    waiting: HashMap<ActionId, Waiting>,
    /// The last ping, as long as it is not answered.
    ping: Option<ActionId>,
}

#[derive(Debug)]
struct Waiting {
    answer: oneshot::Sender<Answer>,
    /// The response, once it came and a list follows.
    list: Option<List>,
}

#[derive(Debug)]
struct List {
    reply: Reply,
    bytes: usize,
}

impl Pending {
    pub(super) fn new(server: &Arc<str>) -> Self {
        Self { server: Arc::clone(server), waiting: HashMap::new(), ping: None }
    }

    /// Whether an action under `id` waits already.
    pub(super) fn has(&self, id: &ActionId) -> bool {
        self.waiting.contains_key(id)
    }

    pub(super) fn add(&mut self, id: ActionId, answer: oneshot::Sender<Answer>) {
        if self.waiting.len() >= KNOWN_MAX {
            self.waiting.retain(|_, waiting| !waiting.answer.is_closed());
        }
        self.waiting.insert(id, Waiting { answer, list: None });
    }

    /// A ping goes out.
    pub(super) fn ping(&mut self, id: ActionId) {
        self.ping = Some(id);
    }

    /// A response came. False: nobody waits for it.
    pub(super) fn response(&mut self, message: Message) -> bool {
        let Some(id) = message.action_id() else { return false };
        if self.ping.take_if(|ping| ping.as_str() == id).is_some() {
            return true;
        }
        let Some(waiting) = self.waiting.get_mut(id) else { return false };
        if waiting.list.is_some() {
            return false;
        }
        let is_list = is_list(&message.headers, "start");
        let id = ActionId::clone(self.waiting.get_key_value(id).expect("it was just found").0);
        let reply = Reply { headers: message.headers, events: Vec::new(), is_cut: message.is_cut };
        if is_list {
            let list = Some(List { reply, bytes: 0 });
            self.waiting.entry(id).and_modify(|waiting| waiting.list = list);
            return true;
        }
        self.waiting.remove(&id).is_some_and(|waiting| waiting.answer.send(Ok(reply)).is_ok())
    }

    /// An event came. It is given back unless it belongs to a list.
    pub(super) fn event(&mut self, message: Message, at: SystemTime) -> Option<Message> {
        let Some(id) = message.action_id() else { return Some(message) };
        let Some(Waiting { answer, list: Some(list) }) = self.waiting.get_mut(id) else {
            return Some(message);
        };
        if is_list(&message.headers, "Complete") || is_list(&message.headers, "Cancelled") {
            let id = id.to_owned();
            if let Some(Waiting { answer, list: Some(list) }) = self.waiting.remove(id.as_str()) {
                // Whoever asked may have gone.
                let _ = answer.send(Ok(list.reply));
            }
        } else if !answer.is_closed() {
            list.add(&self.server, message, at);
        }
        None
    }
}

impl List {
    fn add(&mut self, server: &Arc<str>, message: Message, at: SystemTime) {
        let event = Event::new(server, at, message.headers);
        self.bytes += event.size();
        self.reply.is_cut |= message.is_cut;
        if self.bytes > LIST_BYTES_MAX || self.reply.events.len() >= LIST_EVENTS_MAX {
            self.reply.is_cut = true;
        } else {
            self.reply.events.push(Arc::new(event));
        }
    }
}

fn is_list(headers: &Headers, part: &str) -> bool {
    headers.get("EventList").is_some_and(|found| found.eq_ignore_ascii_case(part))
}
