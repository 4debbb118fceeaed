//! What the numbers and words mean by which Asterisk says how an unanswered call ended.

use super::Outcome;

/// Outcome of a call that was never answered, by the cause of its hangup (ITU-T Q.850); none when a cause says nothing: Asterisk
/// has 0 and 16 also for what was busy on the other leg of a Local channel.
pub(super) fn of_hangup(cause: u32) -> Option<Outcome> {
    Some(match cause {
        0 | 16 => return None,
        17 => Outcome::Busy,
        // No user responds; it rang, and nobody answered.
        18 | 19 => Outcome::NoAnswer,
        // No circuit, network out of order, temporary failure, switch congested, circuit not available.
        34 | 38 | 41 | 42 | 44 => Outcome::Congestion,
        // No such number, no route to it, nobody registered for it, number changed, number incomplete.
        1 | 2 | 3 | 20 | 22 | 28 => Outcome::Refused,
        _ => Outcome::Failed,
    })
}

/// Outcome by the `Reason` of an `OriginateResponse` that tells a failure; none for 0, which Asterisk has for most of them.
pub(super) fn of_reason(reason: u32) -> Option<Outcome> {
    match reason {
        3 => Some(Outcome::NoAnswer),
        5 => Some(Outcome::Busy),
        8 => Some(Outcome::Congestion),
        _ => None,
    }
}

/// Outcome by the `DialStatus` of a `DialEnd`; none for NOANSWER, which Asterisk has for rejected calls too.
pub(super) fn of_dial_status(status: &str) -> Option<Outcome> {
    match status {
        "ANSWER" => Some(Outcome::Answered),
        "BUSY" => Some(Outcome::Busy),
        "CONGESTION" => Some(Outcome::Congestion),
        _ => None,
    }
}
