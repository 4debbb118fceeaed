//! Lengths of time as people write them: `300ms`, `1.5s`, `2m`, `1h`.

use serde::{Deserialize, de::Error as _};
use std::time::Duration;

/// In seconds; no call lasts so long, and sums of it fit.
const LONGEST: f64 = 366.0 * 86_400.0;

/// A length of time in a scenario file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no length of time: write 300ms, 1.5s, 2m or 1h");
        let unit = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(bad)?;
        let (number, unit) = text.split_at(unit);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(bad()),
        };
        let plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
        let number: f64 = number.parse().ok().filter(|_| plain).ok_or_else(bad)?;
        if number * seconds > LONGEST {
            return Err(format!("{text:?} is longer than a year"));
        }
        let span = Duration::try_from_secs_f64(number * seconds).map_err(|_| bad())?;
        // A thousandth is what all of Asterisk counts in; this also hides the rounding of the multiplication.
        Ok(Self(Duration::from_millis((span.as_secs_f64() * 1000.0).round() as u64)))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
