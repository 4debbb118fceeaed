//! `${…}` and `$[…]`, as the dialplan expands them. A useful part: variables, functions, substrings, expressions.

use super::{channel::Channel, expression, function};

/// Deeper nesting is left as it stands.
const DEPTH_MAX: usize = 16;

/// An expansion ends here: a variable that holds itself twice grows without end.
const LENGTH_MAX: usize = 1024 * 1024;

/// Expands `text`.
pub(super) fn expand(channel: &mut Channel, text: &str) -> String {
    at_depth(channel, text, 0)
}

fn at_depth(channel: &mut Channel, text: &str, depth: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${").into_iter().chain(rest.find("$[")).min() {
        out.push_str(&rest[..at]);
        let (open, close) = if rest[at..].starts_with("${") { ('{', '}') } else { ('[', ']') };
        let inner = &rest[at + 2..];
        let fits = depth < DEPTH_MAX && out.len() < LENGTH_MAX;
        let Some(end) = closing(inner, open, close).filter(|_| fits) else {
            out.push_str(&rest[at..]);
            return out;
        };
        let text = at_depth(channel, &inner[..end], depth + 1);
        if open == '{' {
            out.push_str(&value(channel, &text));
        } else {
            out.push_str(&expression::evaluate(&text));
        }
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    out
}

/// Where the bracket closes that stands before `text`.
fn closing(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            if depth == 0 {
                return Some(at);
            }
            depth -= 1;
        }
    }
    None
}

/// What stands between `${` and `}`: a name or a function, and maybe `:offset:length`.
fn value(channel: &mut Channel, text: &str) -> String {
    let (name, slice) = split_slice(text);
    let value = match name.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
        Some((function, arguments)) => function::read(channel, function, arguments),
        None => channel.get(name),
    };
    let value = value.unwrap_or_default();
    slice.map_or_else(|| value.clone(), |(offset, length)| substring(&value, offset, length))
}

fn split_slice(text: &str) -> (&str, Option<(i64, Option<i64>)>) {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ':' if depth == 0 => {
                let (offset, length) = match text[at + 1..].split_once(':') {
                    Some((offset, length)) => (offset, length.trim().parse().ok()),
                    None => (&text[at + 1..], None),
                };
                return (&text[..at], Some((offset.trim().parse().unwrap_or(0), length)));
            }
            _ => {}
        }
    }
    (text, None)
}

/// Negative offsets count from the end; a negative length leaves so many off the end.
fn substring(text: &str, offset: i64, length: Option<i64>) -> String {
    let chars: Vec<char> = text.chars().collect();
    let size = chars.len() as i64;
    let from = if offset < 0 { (size + offset).max(0) } else { offset.min(size) };
    let to = match length {
        None => size,
        Some(length) if length < 0 => (size + length).max(from),
        Some(length) => from.saturating_add(length).min(size),
    };
    chars[from as usize..to as usize].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Caller;

    fn expanded(text: &str) -> String {
        let caller = Caller { number: "3200".into(), name: "Alice".into(), ..Caller::default() };
        let mut channel = Channel::new(&caller, 1000);
        channel.set("X", "12345");
        channel.set("N", "X");
        channel.database.insert("f/k".into(), "v".into());
        expand(&mut channel, text)
    }

    #[test]
    fn growth_ends() {
        let mut channel = Channel::new(&Caller::default(), 0);
        channel.set("X", "0123456789");
        for _ in 0..40 {
            let doubled = expand(&mut channel, "${X}${X}");
            channel.set("X", &doubled);
        }
        assert!(channel.get("X").is_some_and(|value| value.len() < 3 * LENGTH_MAX));
    }

    #[test]
    fn variables_functions_and_expressions() {
        for (text, expected) in [
            ("plain $ {", "plain $ {"),
            ("a${X}b", "a12345b"),
            ("${${N}}", "12345"),
            ("${X:1}", "2345"),
            ("${X:1:2}", "23"),
            ("${X:-2}", "45"),
            ("${X:0:-1}", "1234"),
            ("${X:9}", ""),
            ("${NOSUCH}", ""),
            ("${CALLERID(num)}/${CALLERID(name)}", "3200/Alice"),
            ("${CALLERID(all)}", "\"Alice\" <3200>"),
            ("${DB(f/k)}${DB_EXISTS(f/k)}${DB_EXISTS(f/no)}", "v10"),
            ("${LEN(${X})}", "5"),
            ("${IF($[${X} > 3]?yes:no)}", "yes"),
            ("$[1 + 2 * 3]", "7"),
            ("${EXTEN}@${CONTEXT}:${PRIORITY}", "s@default:1"),
            ("${URIENCODE(a b%)}", "a%20b%25"),
            ("${URIDECODE(a%0Ab)}", "a\nb"),
            ("${BASE64_ENCODE(abc)}${BASE64_DECODE(YWJj)}", "YWJjabc"),
            ("${TOUPPER(ab)}${TOLOWER(AB)}", "ABab"),
            ("${CUT(X,3,1)}", "12"),
            ("${FIELDQTY(X,3)}", "2"),
            ("${EPOCH}", "1000"),
            ("${open", "${open"),
            ("${NOSUCHFUNC(x)}", ""),
            ("MARK${X}MARK", "MARK12345MARK"),
        ] {
            assert_eq!(expanded(text), expected, "{text}");
        }
    }
}
