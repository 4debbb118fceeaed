//! Pure: which of several bridges on one Asterisk has a channel. They see the same events in the same order, and nothing else joins them.
//!
//! Whoever wants a call queues a NOOP at its channel, under an id that says who asks. Asterisk runs one after the other and tells all of
//! each: the first has the call. Every later command of the call has its bridge's name in its id too, so the others know that it lives.
//! After a long silence they ask, and when no answer comes the channel is nobody's: its bridge is gone, and the caller must not wait for it.

use std::time::Duration;

/// A bridge that would turn the call away leaves it this long to the others.
const STAND_BACK: Duration = Duration::from_secs(1);
/// A claim was lost on its way when nothing came of it.
const CLAIM_AGAIN: Duration = Duration::from_secs(5);
/// Its bridge is asked for a sign after so long without one.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// For the sign, from when the question came up at the channel.
const SIGN_TIMEOUT: Duration = Duration::from_secs(5);

/// Begins every id of a bridge.
const PREFIX: &str = "agibridge";

/// Who asks, and what: the id of a command on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign<'a> {
    /// A bridge wants the call.
    Claim,
    /// A bridge asks whether the channel is anybody's.
    Ask,
    /// It is ours.
    Here,
    /// A command of a call, by its number.
    Command(&'a str),
}

/// What is to be done at the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Queue a NOOP under this id.
    Send(Sign<'static>),
    /// The call is ours.
    Begin,
    /// Nobody has it: send it back to the dialplan.
    Release,
}

/// Whose one channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nobody's yet; when we claim it (again).
    Open {
        claim_at: Duration,
    },
    Ours,
    Theirs {
        heard_at: Duration,
        asked: Option<Asked>,
    },
    /// It goes back to the dialplan.
    Released,
}

/// Our question whether a channel is anybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// It may be lost, or wait behind a command that takes its time.
    again_at: Duration,
    /// It was done at the channel.
    came_up: Option<Duration>,
}

impl Sign<'_> {
    /// The id under which `bridge` sends it.
    pub(super) fn id(self, bridge: &str) -> String {
        let what = match self {
            Self::Claim => "claim",
            Self::Ask => "ask",
            Self::Here => "here",
            Self::Command(number) => number,
        };
        format!("{PREFIX}-{bridge}-{what}")
    }
}

/// Who sent a command, and what it is; none for one of somebody else's program.
pub(super) fn read(id: &str) -> Option<(&str, Sign<'_>)> {
    let (bridge, what) = id.strip_prefix(PREFIX)?.strip_prefix('-')?.split_once('-')?;
    let sign = match what {
        "claim" => Sign::Claim,
        "ask" => Sign::Ask,
        "here" => Sign::Here,
        number => Sign::Command(number),
    };
    Some((bridge, sign))
}

impl Claim {
    /// A call has begun. `is_welcome`: it would not be turned away here.
    pub(super) fn begun(is_welcome: bool, now: Duration) -> Self {
        Self::Open { claim_at: if is_welcome { now } else { now + STAND_BACK } }
    }

    /// A call that was there before us.
    pub(super) fn found(now: Duration) -> Self {
        Self::Theirs { heard_at: now, asked: Some(Asked { again_at: now, came_up: None }) }
    }

    /// A command of a bridge was done at the channel.
    pub(super) fn done(&mut self, by_us: bool, sign: Sign<'_>, now: Duration) -> Option<Step> {
        match (&mut *self, by_us, sign) {
            (Self::Open { .. }, true, Sign::Claim) => {
                *self = Self::Ours;
                Some(Step::Begin)
            }
            (Self::Open { .. }, false, Sign::Claim | Sign::Here) => {
                *self = Self::Theirs { heard_at: now, asked: None };
                None
            }
            (Self::Ours, false, Sign::Ask) => Some(Step::Send(Sign::Here)),
            (Self::Theirs { asked: Some(asked), .. }, true, Sign::Ask) => {
                asked.came_up.get_or_insert(now);
                None
            }
            // Ours came up first.
            (
                Self::Theirs { asked: Some(Asked { came_up: Some(_), .. }), .. },
                false,
                Sign::Ask,
            ) => None,
            // Also another one's question: it sees to the channel.
            (Self::Theirs { heard_at, asked }, false, _) => {
                (*heard_at, *asked) = (now, None);
                None
            }
            // Left in the queue by a session before this one.
            (Self::Open { .. }, false, Sign::Ask | Sign::Command(_))
            | (Self::Open { .. } | Self::Theirs { .. }, true, _)
            | (Self::Ours | Self::Released, _, _) => None,
        }
    }

    /// The call that is ours has nobody left who drives it, and Asterisk does not know.
    pub(super) fn abandon(&mut self) -> Option<Step> {
        (*self == Self::Ours).then(|| {
            *self = Self::Released;
            Step::Release
        })
    }

    /// Looks at the clock.
    pub(super) fn tick(&mut self, now: Duration) -> Option<Step> {
        match self {
            Self::Open { claim_at } if now >= *claim_at => {
                *claim_at = now + CLAIM_AGAIN;
                Some(Step::Send(Sign::Claim))
            }
            Self::Theirs { asked: Some(Asked { came_up: Some(at), .. }), .. } => {
                if now < *at + SIGN_TIMEOUT {
                    return None;
                }
                *self = Self::Released;
                Some(Step::Release)
            }
            Self::Theirs { heard_at, asked } => {
                let due = asked.as_ref().map_or(*heard_at + SILENCE_MAX, |asked| asked.again_at);
                if now < due {
                    return None;
                }
                *asked = Some(Asked { again_at: now + SILENCE_MAX, came_up: None });
                Some(Step::Send(Sign::Ask))
            }
            Self::Open { .. } | Self::Ours | Self::Released => None,
        }
    }
}
