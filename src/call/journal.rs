//! What is kept of a call for a service that takes it over: the checkpoint, and the results since. Knows no time.

use crate::proto::{Checkpoint, CommandResult};
use bytes::Bytes;
use prost::Message as _;
use std::{collections::VecDeque, time::Duration};

/// Results in the journal, encoded: with the largest checkpoint they fit well into a message of 4 MiB.
const BYTES_MAX: usize = 1024 * 1024;
/// The span over which a budget is counted.
const MINUTE: Duration = Duration::from_secs(60);

/// Results, oldest first, with the checkpoint that they follow.
///
/// They are kept encoded, for every call keeps many and few are ever resumed: most have a dozen bytes then.
#[derive(Debug, Default)]
pub(super) struct Journal {
    checkpoint: Option<Bytes>,
    results: VecDeque<Box<[u8]>>,
    bytes: usize,
    truncated: bool,
}

impl Journal {
    /// Keeps a result; the oldest go when there are more than `max`, or too many bytes.
    pub(super) fn note(&mut self, result: &CommandResult, max: usize) {
        let encoded = result.encode_to_vec().into_boxed_slice();
        self.bytes += encoded.len();
        self.results.push_back(encoded);
        while self.results.len() > max || self.bytes > BYTES_MAX {
            self.truncated |= self.forget_first();
        }
    }

    /// Takes a checkpoint in the place of the one before, and of the results that it takes account of.
    pub(super) fn check(&mut self, checkpoint: Checkpoint) {
        let known = checkpoint.last_result_id.unwrap_or(u32::MAX);
        while self.results.front().is_some_and(|first| id(first) <= known) {
            self.forget_first();
        }
        self.truncated = false;
        self.checkpoint = Some(checkpoint.state);
    }

    /// Begins anew with what a service handed over.
    pub(super) fn restart(&mut self, state: Option<Bytes>) {
        *self = Self { checkpoint: state, ..Self::default() };
    }

    pub(super) fn checkpoint(&self) -> Option<Bytes> {
        self.checkpoint.clone()
    }

    pub(super) fn results(&self) -> Vec<CommandResult> {
        self.results.iter().filter_map(|encoded| CommandResult::decode(&**encoded).ok()).collect()
    }

    pub(super) fn is_truncated(&self) -> bool {
        self.truncated
    }

    fn forget_first(&mut self) -> bool {
        let first = self.results.pop_front();
        self.bytes -= first.as_ref().map_or(0, |encoded| encoded.len());
        first.is_some()
    }
}

fn id(encoded: &[u8]) -> u32 {
    CommandResult::decode(encoded).map_or(0, |result| result.id)
}

/// So many times a minute, and no more.
#[derive(Debug, Default)]
pub(super) struct Budget(VecDeque<Duration>);

impl Budget {
    /// Whether it may be done once more at `now`, which is then counted.
    pub(super) fn take(&mut self, now: Duration, per_minute: u32) -> bool {
        while self.0.front().is_some_and(|at| now.saturating_sub(*at) >= MINUTE) {
            self.0.pop_front();
        }
        let allowed = self.0.len() < usize::try_from(per_minute).unwrap_or(usize::MAX);
        if allowed {
            self.0.push_back(now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{TextResult, command_result::Outcome};

    fn result(id: u32, bytes: usize) -> CommandResult {
        let text = TextResult { text: Some("x".repeat(bytes)) };
        CommandResult { id, outcome: Some(Outcome::Text(text)), ..CommandResult::default() }
    }

    fn ids(journal: &Journal) -> Vec<u32> {
        journal.results().iter().map(|result| result.id).collect()
    }

    #[test]
    fn the_oldest_results_go_first_and_that_is_told() {
        let mut journal = Journal::default();
        (1..=3).for_each(|id| journal.note(&result(id, 1), 3));
        assert!(!journal.is_truncated());
        journal.note(&result(4, 1), 3);
        assert_eq!((ids(&journal), journal.is_truncated()), (vec![2, 3, 4], true));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut journal = Journal::default();
        (1..=4).for_each(|id| journal.note(&result(id, 400_000), 32));
        assert_eq!((ids(&journal), journal.is_truncated()), (vec![3, 4], true));
        journal.note(&result(5, BYTES_MAX), 32);
        assert_eq!((ids(&journal), journal.bytes), (vec![], 0));
    }

    #[test]
    fn a_checkpoint_stands_for_the_results_that_it_knows() {
        let mut journal = Journal::default();
        (1..=4).for_each(|id| journal.note(&result(id, 1), 3));
        let state = Bytes::from_static(b"s");
        journal.check(Checkpoint { state: state.clone(), last_result_id: Some(3) });
        assert_eq!((ids(&journal), journal.is_truncated()), (vec![4], false));
        assert_eq!(journal.checkpoint(), Some(state));
        journal.check(Checkpoint::default());
        assert_eq!((ids(&journal), journal.bytes), (vec![], 0));
    }

    #[test]
    fn a_budget_is_for_a_minute_and_not_for_good() {
        let mut budget = Budget::default();
        let at = Duration::from_secs;
        assert!(budget.take(at(0), 2) && budget.take(at(30), 2) && !budget.take(at(59), 2));
        assert!(budget.take(at(60), 2) && !budget.take(at(61), 2));
        assert!(!budget.take(at(1000), 0));
    }
}
