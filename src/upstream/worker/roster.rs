//! Who dialled in, what each has room for, and the offers that stand. Knows no sockets, and no time but what it is told.

use super::{
    RegisterError, TakeError,
    hello::{self, Hello},
    link::Brought,
};
use crate::{
    access::Identity,
    proto::{CallOffer, OfferWithdrawn, WorkerOffer, WorkerStatus, worker_offer},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// Workers that one bridge holds.
pub(super) const WORKERS_MAX: usize = 10_000;
/// How long a worker is asked last after it let an offer expire.
pub(super) const PENALTY: Duration = Duration::from_secs(10);

/// One registration; a worker that registers again gets another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(u64);

/// Who was asked to take a call already.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Asked(HashSet<Key>);

impl Asked {
    pub(in crate::upstream) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What became of an offer. A sender that is dropped instead stands for a worker that is gone.
#[derive(Debug)]
pub(super) enum Answer {
    Taken(Brought),
    Declined(String),
}

/// An offer that stands.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) answer: oneshot::Sender<Answer>,
    /// Events that may wait in the link.
    pub(super) capacity: usize,
    key: Key,
}

#[derive(Debug)]
struct Member {
    hello: Hello,
    identity: Identity,
    outbox: mpsc::Sender<WorkerOffer>,
    draining: bool,
    /// In millionths.
    load: u32,
    penalised_until: Option<Instant>,
    offered: Vec<Arc<str>>,
    /// Its drop tells whoever holds the registration that another one took its place.
    _alive: oneshot::Sender<()>,
}

/// The worker to ask next.
#[derive(Debug)]
pub(super) struct Picked {
    pub(super) key: Key,
    pub(super) worker_id: Arc<str>,
    /// Nobody else is left to ask.
    pub(super) alone: bool,
}

#[derive(Debug, Default)]
pub(super) struct Roster {
    members: HashMap<Key, Member>,
    by_id: HashMap<Arc<str>, Key>,
    groups: HashMap<Arc<str>, Vec<Key>>,
    offers: HashMap<Arc<str>, Offer>,
    /// Calls and offers that stand, by the worker's name: they outlive its registration.
    places: HashMap<Arc<str>, u32>,
    next: u64,
}

impl Roster {
    pub(super) fn register(
        &mut self,
        hello: Hello,
        identity: Identity,
        outbox: mpsc::Sender<WorkerOffer>,
        alive: oneshot::Sender<()>,
    ) -> Result<Key, RegisterError> {
        match self.by_id.get(&hello.worker_id).copied() {
            Some(known)
                if self.members.get(&known).is_some_and(|it| !it.identity.is(&identity)) =>
            {
                return Err(RegisterError::Taken);
            }
            // It is back before its old connection was found dead.
            Some(known) => self.withdraw(known),
            None if self.members.len() >= WORKERS_MAX => return Err(RegisterError::TooMany),
            None => {}
        }
        let key = Key(self.next);
        self.next += 1;
        self.by_id.insert(Arc::clone(&hello.worker_id), key);
        for group in &hello.groups {
            self.groups.entry(Arc::clone(group)).or_default().push(key);
        }
        self.members.insert(
            key,
            Member {
                hello,
                identity,
                outbox,
                draining: false,
                load: 0,
                penalised_until: None,
                offered: Vec::new(),
                _alive: alive,
            },
        );
        Ok(key)
    }

    /// Its offers are void; its calls go on, and count if it comes back.
    pub(super) fn withdraw(&mut self, key: Key) {
        let Some(member) = self.members.remove(&key) else { return };
        if self.by_id.get(&member.hello.worker_id) == Some(&key) {
            self.by_id.remove(&member.hello.worker_id);
        }
        for group in &member.hello.groups {
            if let Some(keys) = self.groups.get_mut(group) {
                keys.retain(|known| *known != key);
                if keys.is_empty() {
                    self.groups.remove(group);
                }
            }
        }
        for token in &member.offered {
            self.offers.remove(token);
        }
    }

    pub(super) fn status(&mut self, key: Key, status: &WorkerStatus) {
        if let Some(member) = self.members.get_mut(&key) {
            member.draining = status.draining;
            member.load = (hello::load(status) * 1e6) as u32;
        }
    }

    /// The worker does not want what it was offered. Anything else it names is ignored: the offer may be over by now.
    pub(super) fn decline(&mut self, key: Key, token: &str, reason: String) {
        if self.offers.get(token).is_some_and(|offer| offer.key == key)
            && let Some(offer) = self.remove(token)
        {
            // Whoever asked may be gone.
            let _ = offer.answer.send(Answer::Declined(reason));
        }
    }

    /// Who of `group` is asked next, and is counted as asked then. `Err`: nobody, of so many that are there.
    pub(super) fn pick(
        &self,
        group: &str,
        asked: &mut Asked,
        now: Instant,
    ) -> Result<Picked, usize> {
        let keys = self.groups.get(group).map_or(&[][..], Vec::as_slice);
        let able: Vec<(Key, &Member)> = keys
            .iter()
            .filter(|key| !asked.0.contains(key))
            .filter_map(|key| Some((*key, self.members.get(key)?)))
            .filter(|(_, member)| !member.draining && self.has_room(member))
            .collect();
        let rank = |member: &Member| {
            let penalised = member.penalised_until.is_some_and(|until| now < until);
            (penalised, member.load, self.taken(member), rand::random::<u32>())
        };
        let best = able.iter().min_by_key(|(_, member)| rank(member)).ok_or(keys.len())?;
        asked.0.insert(best.0);
        let worker_id = Arc::clone(&best.1.hello.worker_id);
        Ok(Picked { key: best.0, worker_id, alone: able.len() == 1 })
    }

    /// Sends an offer; false when the worker does not even read its offers.
    pub(super) fn offer(
        &mut self,
        picked: &Picked,
        call: CallOffer,
        capacity: usize,
        answer: oneshot::Sender<Answer>,
        now: Instant,
    ) -> bool {
        let Some(member) = self.members.get_mut(&picked.key) else { return false };
        let token: Arc<str> = call.token.as_str().into();
        let offer = WorkerOffer { offer: Some(worker_offer::Offer::Call(call)) };
        if member.outbox.try_send(offer).is_err() {
            member.penalised_until = Some(now + PENALTY);
            return false;
        }
        member.offered.push(Arc::clone(&token));
        *self.places.entry(Arc::clone(&picked.worker_id)).or_default() += 1;
        self.offers.insert(token, Offer { answer, capacity, key: picked.key });
        true
    }

    /// The offer with this token, which is void from now on.
    pub(super) fn take(&mut self, token: &str, identity: &Identity) -> Result<Offer, TakeError> {
        let offer = self.offers.get(token).ok_or(TakeError::Void)?;
        // Nobody waits any more: expired, and not cleared away yet.
        if offer.answer.is_closed() {
            return Err(TakeError::Void);
        }
        let member = self.members.get_mut(&offer.key).ok_or(TakeError::Void)?;
        if !member.identity.is(identity) {
            return Err(TakeError::NotYours);
        }
        member.penalised_until = None;
        self.remove(token).ok_or(TakeError::Void)
    }

    /// The offer is void from now on, and its worker hears of it. `expired`: it had its time. False: it was not standing any more.
    pub(super) fn revoke(&mut self, token: &str, expired: Option<Instant>) -> bool {
        let Some(offer) = self.remove(token) else { return false };
        if let Some(member) = self.members.get_mut(&offer.key) {
            if let Some(now) = expired {
                member.penalised_until = Some(now + PENALTY);
            }
            let withdrawn = OfferWithdrawn { token: token.to_owned() };
            let offer = WorkerOffer { offer: Some(worker_offer::Offer::Withdrawn(withdrawn)) };
            // A courtesy: without it the worker hears that the offer is void when it takes it.
            let _ = member.outbox.try_send(offer);
        }
        true
    }

    /// A call of this worker is over, or an offer to it.
    pub(super) fn release(&mut self, worker_id: &str) {
        let Some(taken) = self.places.get_mut(worker_id) else { return };
        *taken -= 1;
        if *taken == 0 {
            self.places.remove(worker_id);
        }
    }

    /// Workers that serve `group`, those that drain and those that are full included.
    pub(super) fn connected(&self, group: &str) -> usize {
        self.groups.get(group).map_or(0, Vec::len)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
            && self.by_id.is_empty()
            && self.groups.is_empty()
            && self.offers.is_empty()
            && self.places.is_empty()
    }

    fn remove(&mut self, token: &str) -> Option<Offer> {
        let offer = self.offers.remove(token)?;
        if let Some(member) = self.members.get_mut(&offer.key) {
            member.offered.retain(|known| **known != *token);
        }
        Some(offer)
    }

    fn has_room(&self, member: &Member) -> bool {
        member.hello.max_calls.is_none_or(|max| self.taken(member) < max)
    }

    fn taken(&self, member: &Member) -> u32 {
        self.places.get(&member.hello.worker_id).copied().unwrap_or(0)
    }
}
