//! Which prompts a SAY is made of, in English: only their lengths matter here.

/// The files of a number, as `digits/20`, `digits/1`.
pub(super) fn number(number: i64) -> Vec<String> {
    // Asterisk keeps 32 bits of it.
    let number = i64::from(number as i32);
    let mut parts = Vec::new();
    if number < 0 {
        parts.push("digits/minus".to_owned());
    }
    cardinal(number.unsigned_abs(), &mut parts);
    parts
}

fn cardinal(number: u64, parts: &mut Vec<String>) {
    for (unit, name) in
        [(1_000_000_000, "billion"), (1_000_000, "million"), (1000, "thousand"), (100, "hundred")]
    {
        if number >= unit {
            cardinal(number / unit, parts);
            parts.push(format!("digits/{name}"));
            if !number.is_multiple_of(unit) {
                cardinal(number % unit, parts);
            }
            return;
        }
    }
    if number > 20 {
        parts.push(format!("digits/{}", number / 10 * 10));
        if !number.is_multiple_of(10) {
            parts.push(format!("digits/{}", number % 10));
        }
    } else {
        parts.push(format!("digits/{number}"));
    }
}

/// Digit by digit; what is no digit is silent.
pub(super) fn digits(text: &str) -> Vec<String> {
    let part = |c: char| match c {
        '0'..='9' => Some(format!("digits/{c}")),
        '*' => Some("digits/star".into()),
        '#' => Some("digits/pound".into()),
        '-' => Some("digits/minus".into()),
        _ => None,
    };
    text.chars().filter_map(part).collect()
}

/// Letter by letter; with `cased`, each letter is followed by its case.
pub(super) fn letters(text: &str, cased: bool) -> Vec<String> {
    let mut parts = Vec::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            letter @ 'a'..='z' => parts.push(format!("letters/{letter}")),
            digit @ '0'..='9' => parts.push(format!("digits/{digit}")),
            ' ' => parts.push("letters/space".into()),
            '.' => parts.push("letters/dot".into()),
            '-' => parts.push("letters/dash".into()),
            '@' => parts.push("letters/at".into()),
            '*' => parts.push("letters/asterisk".into()),
            '/' => parts.push("letters/slash".into()),
            '+' => parts.push("letters/plus".into()),
            _ => continue,
        }
        if cased && c.is_ascii_alphabetic() {
            parts.push(if c.is_ascii_uppercase() { "uppercase" } else { "lowercase" }.into());
        }
    }
    parts
}

/// Alpha, bravo, charlie.
pub(super) fn phonetic(text: &str) -> Vec<String> {
    let part = |c: char| match c.to_ascii_lowercase() {
        letter @ 'a'..='z' => Some(format!("phonetic/{letter}_p")),
        '0'..='9' => Some(format!("digits/{c}")),
        _ => None,
    };
    text.chars().filter_map(part).collect()
}

/// Parts of a date or time by its format letters, as voicemail.conf has them. Which day or month it is matters
/// little for the length, so one stands for all.
pub(super) fn date_time(format: &str) -> Vec<String> {
    let (mut parts, mut rest) = (Vec::new(), format);
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let said: &[&str] = match c {
            '\'' => {
                let end = rest.find('\'').unwrap_or(rest.len());
                parts.push(rest[..end].to_owned());
                rest = rest.get(end + 1..).unwrap_or_default();
                continue;
            }
            'A' | 'a' => &["digits/day-1"],
            'B' | 'b' | 'h' | 'm' => &["digits/mon-1"],
            'd' | 'e' => &["digits/h-1"],
            'Y' => &["digits/2", "digits/thousand", "digits/20", "digits/6"],
            'I' | 'l' | 'H' | 'k' => &["digits/10"],
            'M' | 'S' => &["digits/20", "digits/5"],
            'P' | 'p' => &["digits/p-m"],
            'Q' | 'q' => &["digits/today"],
            'R' => &["digits/10", "digits/20", "digits/5"],
            'T' => &["digits/10", "digits/20", "digits/5", "digits/20", "digits/5"],
            _ => &[],
        };
        parts.extend(said.iter().map(|&part| part.to_owned()));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_english() {
        let said = |value| number(value).join(" ").replace("digits/", "");
        assert_eq!(said(0), "0");
        assert_eq!(said(20), "20");
        assert_eq!(said(-21), "minus 20 1");
        assert_eq!(said(1_300_100), "1 million 3 hundred thousand 1 hundred");
        assert_eq!(said(1 << 32), "0");
    }

    #[test]
    fn dates_follow_their_format() {
        assert_eq!(
            date_time("A 'digits/at' IM"),
            ["digits/day-1", "digits/at", "digits/10", "digits/20", "digits/5"]
        );
        assert!(date_time("").is_empty());
    }
}
