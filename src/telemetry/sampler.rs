//! Which traces are recorded, as `OTEL_TRACES_SAMPLER` has it. Knows ids and flags only.

use super::trace::TraceId;

/// Decides once for each span without a local parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampler {
    /// As whoever began the trace wants it; traces of our own by the inner one.
    ParentBased(Root),
    /// Whatever the parent wants.
    Always(Root),
}

/// What decides where there is no parent, or none is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// Every trace.
    On,
    /// None.
    Off,
    /// Traces whose random part is below this, of 2^56.
    Ratio(u64),
}

const RANDOM_BITS: u32 = 56;

impl Default for Sampler {
    fn default() -> Self {
        Self::ParentBased(Root::On)
    }
}

impl Sampler {
    /// Whether to record a span of this trace; `parent`: whether the parent in another process was recorded.
    pub const fn samples(self, trace_id: TraceId, parent: Option<bool>) -> bool {
        match (self, parent) {
            (Self::ParentBased(_), Some(sampled)) => sampled,
            (Self::ParentBased(root) | Self::Always(root), _) => root.samples(trace_id),
        }
    }
}

impl Root {
    /// So many of all traces, from 0 to 1; `None` for a number that is outside.
    pub fn ratio(share: f64) -> Option<Self> {
        let all = (1_u64 << RANDOM_BITS) as f64;
        (0.0..=1.0).contains(&share).then_some(Self::Ratio((share * all) as u64))
    }

    const fn samples(self, trace_id: TraceId) -> bool {
        match self {
            Self::On => true,
            Self::Off => false,
            Self::Ratio(below) => trace_id.random_part() < below,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::trace::TraceContext;

    #[test]
    fn a_parents_word_counts_only_for_samplers_that_ask_it() {
        let id = TraceContext::root().trace_id;
        for (sampler, none, yes, no) in [
            (Sampler::default(), true, true, false),
            (Sampler::ParentBased(Root::Off), false, true, false),
            (Sampler::Always(Root::On), true, true, true),
            (Sampler::Always(Root::Off), false, false, false),
        ] {
            let samples = |parent| sampler.samples(id, parent);
            assert_eq!((samples(None), samples(Some(true)), samples(Some(false))), (none, yes, no));
        }
    }

    #[test]
    fn a_ratio_takes_its_share_and_the_same_traces_each_time() {
        let ids: Vec<_> = (0..4_000).map(|_| TraceContext::root().trace_id).collect();
        let taken = |share: f64| {
            let sampler = Sampler::Always(Root::ratio(share).unwrap());
            ids.iter().filter(|id| sampler.samples(**id, None)).count()
        };
        assert_eq!((taken(0.0), taken(1.0)), (0, ids.len()));
        assert!((700..1_300).contains(&taken(0.25)), "{}", taken(0.25));
        assert_eq!(taken(0.25), taken(0.25));
        assert!(Root::ratio(1.5).is_none() && Root::ratio(f64::NAN).is_none());
    }
}
