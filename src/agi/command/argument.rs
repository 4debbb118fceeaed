//! The contract's times and digits as Asterisk's words, checked. Knows no command.

use crate::agi::words::{InvalidArgument, Line};
use pbjson_types::{Duration, Timestamp};

/// Asterisk reads most numbers into 32 bits, with a sign.
const NUMBER_MAX: i64 = i32::MAX as i64;

/// The largest wait that Asterisk takes, some 24 days: what "without limit" comes to where there is no word for it.
pub(super) const WAIT_MS_MAX: i64 = NUMBER_MAX;

/// What of a duration is counted in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    Milliseconds,
    Seconds,
}

/// A duration in a unit, a fraction rounded up; `None` when it is unset.
pub(super) fn duration(
    field: &'static str,
    duration: Option<&Duration>,
    unit: Unit,
) -> Result<Option<i64>, InvalidArgument> {
    let Some(&Duration { seconds, nanos }) = duration else { return Ok(None) };
    if seconds < 0 || nanos < 0 {
        return Err(InvalidArgument::new(field, "is negative"));
    }
    if nanos > 999_999_999 {
        return Err(InvalidArgument::new(field, "is no duration: nanos is above 999999999"));
    }
    let (per_second, nanos_per_unit, name) = match unit {
        Unit::Milliseconds => (1000, 1_000_000, "ms"),
        Unit::Seconds => (1, 1_000_000_000, "s"),
    };
    let fraction = i64::from(nanos.unsigned_abs().div_ceil(nanos_per_unit));
    match seconds.checked_mul(per_second).and_then(|whole| whole.checked_add(fraction)) {
        Some(count) if count <= NUMBER_MAX => Ok(Some(count)),
        Some(_) | None => Err(InvalidArgument::new(
            field,
            format_args!("is above {NUMBER_MAX} {name}, Asterisk's limit"),
        )),
    }
}

/// A moment in whole seconds, as Asterisk's SAY commands take it.
pub(super) fn epoch(
    field: &'static str,
    moment: Option<&Timestamp>,
) -> Result<i64, InvalidArgument> {
    let Some(moment) = moment else { return Err(InvalidArgument::new(field, "is not set")) };
    i32::try_from(moment.seconds).map(i64::from).map_err(|_| {
        InvalidArgument::new(field, "does not fit into 32 bits of seconds, Asterisk's limit")
    })
}

impl Line {
    /// Adds the digits that stop a prompt; none is a word too.
    pub(super) fn digits(self, field: &'static str, digits: &str) -> Result<Self, InvalidArgument> {
        if digits.bytes().all(is_digit) {
            return Ok(self.text(field, digits)?.stops());
        }
        Err(InvalidArgument::new(field, "may hold 0-9, *, # and A-D only"))
    }

    /// Adds one digit; unset is the empty word, which stands for Asterisk's own choice.
    pub(super) fn digit(
        self,
        field: &'static str,
        digit: Option<&String>,
    ) -> Result<Self, InvalidArgument> {
        match digit.map(String::as_bytes) {
            None => Ok(self.word("")),
            Some(&[digit]) if is_digit(digit) => self.pieces(field, &[&[digit]]),
            Some(_) => Err(InvalidArgument::new(field, "must be one of 0-9, *, # and A-D")),
        }
    }
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_up_and_bounded() {
        let table = [
            (0, 0, Ok((0, 0))),
            (5, 0, Ok((5000, 5))),
            (1, 1, Ok((1001, 2))),
            (0, 999_999_999, Ok((1000, 1))),
            (-1, 0, Err("f: is negative")),
            (0, -1, Err("f: is negative")),
            (0, 1_000_000_000, Err("f: is no duration: nanos is above 999999999")),
            (i64::MAX, 0, Err("f: is above 2147483647 ms, Asterisk's limit")),
            (2_147_483, 648_000_000, Err("f: is above 2147483647 ms, Asterisk's limit")),
        ];
        for (seconds, nanos, expected) in table {
            let value = Duration { seconds, nanos };
            let count = |unit| duration("f", Some(&value), unit).map_err(|error| error.detail);
            match expected {
                Ok((ms, s)) => {
                    assert_eq!(count(Unit::Milliseconds), Ok(Some(ms)));
                    assert_eq!(count(Unit::Seconds), Ok(Some(s)));
                }
                Err(detail) => assert_eq!(count(Unit::Milliseconds), Err(detail.to_owned())),
            }
        }
        assert_eq!(duration("f", None, Unit::Seconds), Ok(None));
    }

    #[test]
    fn moments_fit_into_32_bits() {
        let at = |seconds| epoch("f", Some(&Timestamp { seconds, nanos: 5 })).ok();
        assert_eq!(at(-1), Some(-1));
        assert_eq!(at(2_147_483_647), Some(2_147_483_647));
        assert_eq!(at(2_147_483_648), None);
        assert!(epoch("f", None).is_err());
    }
}
