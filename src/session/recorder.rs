//! The flight recorder: what happened in each call that lives, and in the last ones that ended, as their routes allow it to be shown.
//!
//! A running call writes to its own [`Record`], whose lock no other call takes; only its end touches what all share. What is
//! masked was never kept: it cannot be read later, by whomever. Everything is bounded: the entries of a call, the calls, the bytes.
//!
//! | file | what it holds |
//! |---|---|
//! | `record` | one call, as it notes what happens; `read`: as it is read |
//! | `facts` | what is known of a call from its beginning |
//! | `timeline` | the entries of one call: the first and the last ones; `note`: one of them, as bytes |
//! | `tally` | what came of the calls of a route |
//! | `view` | how calls are read, as JSON |

mod facts;
mod note;
mod read;
mod record;
mod tally;
mod timeline;
mod view;

pub use record::{Begun, Record};
pub use view::{
    AnswerView, CallView, End, EndedPage, EndedQuery, EndedSummary, EntryView, Numbers, Quantiles,
    Reader, TallyView,
};

use super::registry::NotOne;
use crate::call::Outcome;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};
use tally::{Tally, Told};
use uuid::Uuid;

/// Calls whose route's name is remembered for its tally; a bridge has as many names as its configurations had.
const TALLIES_MAX: usize = 1_000;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls that have ended; 0: nothing is noted at all.
    pub calls: usize,
    /// What these take, in all.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { calls: 200, bytes: 16 * 1024 * 1024 }
    }
}

/// The last calls that ended, and how those of each route did.
#[derive(Debug)]
pub struct Recorder {
    calls_max: AtomicUsize,
    bytes_max: AtomicUsize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The oldest first.
    calls: VecDeque<Ended>,
    bytes: usize,
    /// Of the last one that ended.
    number: u64,
    tallies: BTreeMap<Arc<str>, Tally>,
}

#[derive(Debug)]
struct Ended {
    number: u64,
    bytes: usize,
    record: Arc<Record>,
}

impl Recorder {
    /// An empty one.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            calls_max: AtomicUsize::new(limits.calls),
            bytes_max: AtomicUsize::new(limits.bytes),
            kept: Mutex::default(),
        })
    }

    /// What is kept from now on. A call that began while nothing was noted stays without a record.
    pub fn set_limits(&self, limits: Limits) {
        self.calls_max.store(limits.calls, Ordering::Relaxed);
        self.bytes_max.store(limits.bytes, Ordering::Relaxed);
        drop(self.trim(&mut lock(&self.kept)));
    }

    /// Whether calls that begin now are noted.
    pub fn is_on(&self) -> bool {
        self.calls_max.load(Ordering::Relaxed) > 0
    }

    /// The record of a call that begins; none while nothing is noted.
    pub fn begin<'a>(&self, begun: impl FnOnce() -> Begun<'a>) -> Option<Arc<Record>> {
        self.is_on().then(|| Arc::new(Record::new(begun())))
    }

    /// The call is over: it is one of the last calls from now on.
    pub fn end(&self, record: &Arc<Record>, outcome: &Outcome, duration: Duration) {
        let told = record.end(outcome, duration);
        // Freed without the lock: no other call need wait for that.
        drop(self.keep(record, &told));
    }

    /// Gives back what had to go for it.
    fn keep(&self, record: &Arc<Record>, told: &Told) -> Vec<Ended> {
        let mut kept = lock(&self.kept);
        if kept.tallies.contains_key(&told.route) || kept.tallies.len() < TALLIES_MAX {
            kept.tallies.entry(Arc::clone(&told.route)).or_default().add(told);
        }
        kept.number += 1;
        let (number, bytes) = (kept.number, told.bytes);
        kept.bytes += bytes;
        kept.calls.push_back(Ended { number, bytes, record: Arc::clone(record) });
        self.trim(&mut kept)
    }

    /// A page of the calls that ended, the newest first.
    pub fn ended(&self, query: &EndedQuery, reader: Reader) -> EndedPage {
        let (total, bytes, records) = {
            let kept = lock(&self.kept);
            let fits = |ended: &&Ended| {
                query.before.is_none_or(|before| ended.number < before)
                    && query.route.as_ref().is_none_or(|route| *ended.record.route() == **route)
            };
            let page = kept.calls.iter().rev().filter(fits).take(query.limit.saturating_add(1));
            let page: Vec<_> =
                page.map(|ended| (ended.number, Arc::clone(&ended.record))).collect();
            (kept.number, kept.bytes, page)
        };
        let truncated = records.len() > query.limit;
        let calls = records
            .iter()
            .take(query.limit)
            .filter_map(|(number, record)| record.summary(*number, reader))
            .collect();
        EndedPage { is_on: self.is_on(), total, bytes, calls, truncated }
    }

    /// A call that ended, by its id or the beginning of it.
    ///
    /// # Errors
    /// When none, or more than one, has an id that begins so.
    pub fn find(&self, id: &str) -> Result<Arc<Record>, NotOne> {
        let kept = lock(&self.kept);
        if let Ok(id) = Uuid::try_parse(id) {
            let found = kept.calls.iter().find(|ended| ended.record.call_id() == id);
            return found.map(|ended| Arc::clone(&ended.record)).ok_or(NotOne::Unknown);
        }
        let prefix = id.replace('-', "").to_ascii_lowercase();
        if prefix.is_empty() {
            return Err(NotOne::Unknown);
        }
        let fits =
            |ended: &&Ended| ended.record.call_id().simple().to_string().starts_with(&prefix);
        let found: Vec<_> = kept.calls.iter().filter(fits).collect();
        match found.as_slice() {
            [] => Err(NotOne::Unknown),
            [one] => Ok(Arc::clone(&one.record)),
            several => Err(NotOne::Ambiguous(several.len())),
        }
    }

    /// What came of the calls of each route.
    pub fn tallies(&self) -> BTreeMap<Arc<str>, TallyView> {
        let kept = lock(&self.kept);
        kept.tallies.iter().map(|(route, tally)| (Arc::clone(route), tally.view())).collect()
    }

    fn trim(&self, kept: &mut Kept) -> Vec<Ended> {
        let calls_max = self.calls_max.load(Ordering::Relaxed);
        let bytes_max = self.bytes_max.load(Ordering::Relaxed);
        let mut dropped = Vec::new();
        while kept.calls.len() > calls_max || kept.bytes > bytes_max {
            let Some(oldest) = kept.calls.pop_front() else { break };
            kept.bytes -= oldest.bytes;
            dropped.push(oldest);
        }
        dropped
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn timestamp(at: SystemTime) -> pbjson_types::Timestamp {
    super::timestamp(at)
}

#[cfg(test)]
mod tests;
