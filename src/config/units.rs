//! Durations and sizes as people write them: `1h30m`, `64KiB`.

use std::time::Duration;

/// The parts of a duration, in milliseconds, the largest first.
const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const SIZE_UNITS: [(&str, u64); 4] =
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// What `parse_duration` takes, less the range.
#[cfg(test)]
pub(super) const DURATION_PATTERN: &str = "^([0-9]{1,12}(\\.[0-9]{1,3})?(d|h|ms|m|s))+$";
/// What `parse_size` takes, less the range.
#[cfg(test)]
pub(super) const SIZE_PATTERN: &str = "^[0-9]{1,12}(B|KiB|MiB|GiB)$";

/// `1h30m`, `5s`, `1.5s`, `250ms`; `None` for all else. Precise to a millisecond.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest, 12)?;
        let (thousandths, after) = match after.strip_prefix('.') {
            Some(after) => {
                let (fraction, tail) = digits(after, 3)?;
                (fraction * 10_u64.pow(3 - u32::try_from(after.len() - tail.len()).ok()?), tail)
            }
            None => (0, after),
        };
        let letters =
            after.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, tail) = after.split_at(letters);
        let (_, unit) = DURATION_UNITS.into_iter().find(|(name, _)| *name == unit)?;
        millis =
            millis.checked_add(whole.checked_mul(unit)?)?.checked_add(thousandths * unit / 1000)?;
        rest = tail;
    }
    (!text.is_empty()).then(|| Duration::from_millis(millis))
}

/// `64KiB`, `1MiB`, `512B`; `None` for all else.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = digits(text, 12)?;
    let (_, unit) = SIZE_UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(unit)
}

fn digits(text: &str, most: usize) -> Option<(u64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let number = text[..end].parse().ok().filter(|_| end <= most)?;
    Some((number, &text[end..]))
}

/// The shortest text that `parse_duration` reads as `duration`, to the millisecond.
pub(super) fn duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (name, unit) in DURATION_UNITS {
        if millis >= unit {
            text.push_str(&format!("{}{name}", millis / unit));
            millis %= unit;
        }
    }
    text
}

/// The shortest text that `parse_size` reads as `bytes`.
pub(super) fn size(bytes: u64) -> String {
    let fitting =
        SIZE_UNITS.into_iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    let (name, unit) = fitting.unwrap_or(("B", 1));
    format!("{}{name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in [
            ("5s", 5000),
            ("1h30m", 5_400_000),
            ("1.5s", 1500),
            ("250ms", 250),
            ("0.25m", 15_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in [
            "",
            "5",
            "s",
            "5 s",
            "-1s",
            "1.s",
            "1.2345s",
            "5sec",
            "99999999999999999s",
            "5s ",
            "1e3s",
            "٣s",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse_size("64KiB"), Some(65_536));
        for bad in ["", "64", "64kb", "KiB", "1.5KiB", "999999999999GiB"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0..10_000_000_000_u64, bytes in 0..(1_u64 << 34)) {
            let wanted = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&duration(wanted)), Some(wanted));
            prop_assert_eq!(parse_size(&size(bytes)), Some(bytes));
        }

        #[test]
        fn no_text_panics(text in "[0-9.dhmsKMGiB٣ ]{0,12}") {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
