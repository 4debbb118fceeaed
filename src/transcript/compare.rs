//! Whether a command is the one that was recorded. What was kept back fits anything, and so does what differs from call to
//! call though nothing changed: the call's id, and moments of the call as seconds or milliseconds since 1970.

use super::text::BULLET;
use std::time::Duration;
use uuid::Uuid;

/// In seconds: a moment that a service speaks of may be this far from the call, as the beginning of a day.
const NEAR: u64 = 86_400;
/// The bridge's own words for a failure: they name addresses and times of that day.
const REASON: &str = r#"SET VARIABLE "AGIBRIDGE_REASON" "#;

/// What differs from call to call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Own {
    pub(super) call_id: Uuid,
    /// Since 1970.
    pub(super) began: Duration,
    pub(super) lasted: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    This(char),
    Digit,
    HexDigit,
    Anything,
}

/// Whether `got` is as `recorded`; both as text.
pub(super) fn fits(recorded: &str, got: &str, own: &Own) -> bool {
    if recorded.starts_with(REASON) {
        return got.starts_with(REASON);
    }
    glob(&pieces(recorded, own), &got.chars().collect::<Vec<_>>())
}

fn pieces(recorded: &str, own: &Own) -> Vec<Piece> {
    let ids = [own.call_id.hyphenated().to_string(), own.call_id.simple().to_string()];
    let mut pieces = Vec::with_capacity(recorded.len());
    let mut rest = recorded;
    while let Some(first) = rest.chars().next() {
        if let Some(id) = ids.iter().find(|id| rest.starts_with(id.as_str())) {
            pieces.extend(
                id.chars().map(|c| if c == '-' { Piece::This(c) } else { Piece::HexDigit }),
            );
            rest = &rest[id.len()..];
            continue;
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let (number, behind) = rest.split_at(digits);
            let is_moment = is_moment(number, own);
            pieces.extend(
                number.chars().map(|c| if is_moment { Piece::Digit } else { Piece::This(c) }),
            );
            rest = behind;
            continue;
        }
        match first {
            BULLET if pieces.last() == Some(&Piece::Anything) => {}
            BULLET => pieces.push(Piece::Anything),
            _ => pieces.push(Piece::This(first)),
        }
        rest = &rest[first.len_utf8()..];
    }
    pieces
}

fn is_moment(number: &str, own: &Own) -> bool {
    let Ok(value) = number.parse::<u64>() else { return false };
    let seconds = match number.len() {
        10 => value,
        13 => value / 1000,
        _ => return false,
    };
    let began = own.began.as_secs();
    (began.saturating_sub(NEAR)..=began + own.lasted.as_secs() + NEAR).contains(&seconds)
}

/// The usual walk: back to the last `Anything` when the rest does not fit.
fn glob(pieces: &[Piece], got: &[char]) -> bool {
    let (mut piece, mut at) = (0, 0);
    let mut retry = None;
    loop {
        let fits = match pieces.get(piece) {
            Some(Piece::Anything) => {
                retry = Some((piece, at));
                piece += 1;
                continue;
            }
            Some(Piece::This(c)) => got.get(at) == Some(c),
            Some(Piece::Digit) => got.get(at).is_some_and(char::is_ascii_digit),
            Some(Piece::HexDigit) => got.get(at).is_some_and(char::is_ascii_hexdigit),
            None if at == got.len() => return true,
            None => false,
        };
        if fits {
            (piece, at) = (piece + 1, at + 1);
            continue;
        }
        match &mut retry {
            Some((from, taken)) if *taken < got.len() => {
                *taken += 1;
                (piece, at) = (*from + 1, *taken);
            }
            Some(_) | None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: Uuid = Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0001);

    fn own() -> Own {
        let began = Duration::from_secs(1_795_219_769);
        Own { call_id: ID, began, lasted: Duration::from_mins(1) }
    }

    #[test]
    fn only_what_must_differ_may_differ() {
        let other = Uuid::from_u128(7);
        for (recorded, got, fits_) in [
            (r#"NOOP "a""#.to_owned(), r#"NOOP "a""#.to_owned(), true),
            (r#"NOOP "a""#.into(), r#"NOOP "b""#.into(), false),
            (r#"NOOP "a""#.into(), r#"NOOP "a" "#.into(), false),
            (r#"NOOP "•••""#.into(), r#"NOOP "any \" thing""#.into(), true),
            (r#"NOOP "•••" "1""#.into(), r#"NOOP "x" "2""#.into(), false),
            (format!("NOOP \"{ID}\""), format!("NOOP \"{other}\""), true),
            (format!("NOOP \"{ID}\""), "NOOP \"none\"".into(), false),
            (format!("NOOP \"{}\"", ID.simple()), format!("NOOP \"{}\"", other.simple()), true),
            (r#"SAY TIME "1795219775" """#.into(), r#"SAY TIME "1800000000" """#.into(), true),
            (r#"SAY TIME "1795219775" """#.into(), r#"SAY TIME "0" """#.into(), false),
            (r#"SAY DIGITS "4951234567" """#.into(), r#"SAY DIGITS "4951234568" """#.into(), false),
            (r#"X "1795219775123""#.into(), r#"X "1795300000000""#.into(), true),
            (
                format!(r#"{REASON}"127.0.0.1:1 refused""#),
                format!(r#"{REASON}"[::1]:9 refused""#),
                true,
            ),
        ] {
            assert_eq!(fits(&recorded, &got, &own()), fits_, "{recorded} {got}");
        }
    }

    proptest! {
        #[test]
        fn a_line_fits_itself_with_any_piece_of_it_masked(line in ".{0,40}", from in 0_usize..40, to in 0_usize..40) {
            let line = super::super::text::encode(line.as_bytes(), None);
            prop_assert!(fits(&line, &line, &own()));
            let at = |place: usize| line.floor_char_boundary(place.min(line.len()));
            let (from, to) = (at(from.min(to)), at(from.max(to)));
            // A mask next to digits may have cut a moment in two, which then must be the same: it is.
            let masked = [&line[..from], "•••", &line[to..]].concat();
            prop_assert!(fits(&masked, &line, &own()));
        }
    }
}
