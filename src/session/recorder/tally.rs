//! What came of the calls of one route: how they ended, and how fast their services were, lately.

use super::view::{Quantiles, TallyView};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// Calls over which times are told.
const RECENT_MAX: usize = 256;

/// What a call leaves.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) route: Arc<str>,
    pub(super) reason: &'static str,
    pub(super) blame: &'static str,
    /// From the accept to the service's first word.
    pub(super) setup: Option<Duration>,
    /// The longest time for which the service had every result, and sent nothing.
    pub(super) thinking: Option<Duration>,
    pub(super) duration: Duration,
    pub(super) bytes: usize,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    calls: u64,
    reasons: BTreeMap<&'static str, u64>,
    blames: BTreeMap<&'static str, u64>,
    setups: Recent,
    thinking: Recent,
    durations: Recent,
}

impl Tally {
    pub(super) fn add(&mut self, told: &Told) {
        self.calls += 1;
        *self.reasons.entry(told.reason).or_default() += 1;
        *self.blames.entry(told.blame).or_default() += 1;
        self.durations.add(told.duration);
        if let Some(setup) = told.setup {
            self.setups.add(setup);
        }
        if let Some(thinking) = told.thinking {
            self.thinking.add(thinking);
        }
    }

    pub(super) fn view(&self) -> TallyView {
        TallyView {
            calls: self.calls,
            reasons: self.reasons.clone(),
            blames: self.blames.clone(),
            setup: self.setups.quantiles(),
            thinking: self.thinking.quantiles(),
            duration: self.durations.quantiles(),
        }
    }
}

#[derive(Debug, Default)]
struct Recent(VecDeque<Duration>);

impl Recent {
    fn add(&mut self, time: Duration) {
        if self.0.len() == RECENT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(time);
    }

    fn quantiles(&self) -> Option<Quantiles> {
        let mut sorted: Vec<Duration> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).max(1) - 1;
            sorted.get(index).map(Duration::as_secs_f64)
        };
        Some(Quantiles { p50: at(50)?, p95: at(95)?, max: at(100)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_recent_calls() {
        let mut recent = Recent::default();
        assert_eq!(recent.quantiles(), None);
        recent.add(Duration::from_secs(7));
        assert_eq!(recent.quantiles(), Some(Quantiles { p50: 7.0, p95: 7.0, max: 7.0 }));
        for seconds in 1..=1000 {
            recent.add(Duration::from_secs(seconds));
        }
        assert_eq!(recent.quantiles(), Some(Quantiles { p50: 872.0, p95: 988.0, max: 1000.0 }));
    }
}
