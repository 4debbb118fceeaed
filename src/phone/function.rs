//! Dialplan functions that calls commonly use. One that is not here reads as if it did not exist.

use super::channel::Channel;

/// Reads `name(arguments)`; unset when there is no such function, or it has nothing.
pub(super) fn read(channel: &mut Channel, name: &str, arguments: &str) -> Option<String> {
    let list: Vec<&str> = arguments.split(',').collect();
    let second = list.get(1).copied().unwrap_or_default();
    Some(match name.to_ascii_uppercase().as_str() {
        "CALLERID" => caller_id(channel, list[0])?,
        "CHANNEL" => of_channel(channel, list[0])?,
        "DB" => channel.database.get(arguments)?.clone(),
        "DB_EXISTS" => {
            let value = channel.database.get(arguments).cloned();
            if let Some(value) = &value {
                channel.set("DB_RESULT", value);
            }
            u8::from(value.is_some()).to_string()
        }
        "DB_DELETE" => channel.database.remove(arguments).unwrap_or_default(),
        "LEN" => arguments.chars().count().to_string(),
        "SET" => {
            let (name, value) = arguments.split_once('=')?;
            write(channel, name, value);
            value.to_owned()
        }
        "EXISTS" => u8::from(!arguments.is_empty()).to_string(),
        "ISNULL" => u8::from(arguments.is_empty()).to_string(),
        "IF" => condition(arguments),
        "TOUPPER" => arguments.to_ascii_uppercase(),
        "TOLOWER" => arguments.to_ascii_lowercase(),
        "QUOTE" => format!("\"{}\"", arguments.replace('\\', "\\\\").replace('"', "\\\"")),
        "URIENCODE" => uri_encode(arguments),
        "URIDECODE" => uri_decode(arguments),
        "BASE64_ENCODE" => base64_encode(arguments),
        "BASE64_DECODE" => base64_decode(arguments),
        "CUT" => cut(&channel.get(list[0])?, second, list.get(2).copied().unwrap_or("1")),
        "FIELDQTY" => channel.get(list[0])?.split(delimiter(second)).count().to_string(),
        "FILTER" => second.chars().filter(|c| list[0].contains(*c)).collect(),
        "REPLACE" => {
            let value = channel.get(list[0])?;
            let with = list.get(2).and_then(|text| text.chars().next());
            let kept = |c: char| if second.contains(c) { with } else { Some(c) };
            value.chars().filter_map(kept).collect()
        }
        "VERSION" => channel.get("ASTERISK_VERSION").unwrap_or_else(|| "22.10.1".into()),
        _ => return None,
    })
}

/// Writes a variable or a function; a function that cannot be written is ignored, as SET VARIABLE ignores it.
pub(super) fn write(channel: &mut Channel, name: &str, value: &str) {
    let Some((function, argument)) = name.strip_suffix(')').and_then(|rest| rest.split_once('('))
    else {
        channel.set(name, value);
        return;
    };
    match function.to_ascii_uppercase().as_str() {
        "CALLERID" => set_caller_id(channel, argument, value),
        "DB" => drop(channel.database.insert(argument.to_owned(), value.to_owned())),
        "CHANNEL" => match argument.to_ascii_lowercase().as_str() {
            "language" => value.clone_into(&mut channel.language),
            "accountcode" => value.clone_into(&mut channel.account_code),
            _ => {}
        },
        _ => {}
    }
}

/// `"Name" <number>`, `Name <number>`, or one of the two, as Asterisk takes it apart.
pub(super) fn parse_caller_id(text: &str) -> (String, String) {
    let text = text.trim();
    if let Some((name, rest)) = text.split_once('<') {
        let number = rest.split('>').next().unwrap_or_default();
        return (unquoted(name.trim()), shrunk(number));
    }
    let is_number =
        !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || "*#+()-. ".contains(c));
    if is_number { (String::new(), shrunk(text)) } else { (unquoted(text), String::new()) }
}

fn unquoted(name: &str) -> String {
    let inner = name.strip_prefix('"').map(|rest| rest.strip_suffix('"').unwrap_or(rest));
    inner.unwrap_or(name).replace("\\\"", "\"")
}

/// Punctuation is stripped from numbers.
fn shrunk(number: &str) -> String {
    number.chars().filter(|c| !"()-. ".contains(*c)).collect()
}

fn caller_id(channel: &Channel, part: &str) -> Option<String> {
    Some(match part.to_ascii_lowercase().as_str() {
        "num" | "number" | "ani" | "ani-num" => channel.number.clone(),
        "name" => channel.caller_name.clone(),
        "all" => match (channel.caller_name.is_empty(), channel.number.is_empty()) {
            (true, true) => String::new(),
            (true, false) => channel.number.clone(),
            (false, _) => format!("\"{}\" <{}>", channel.caller_name, channel.number),
        },
        "dnid" => channel.dialed_number.clone(),
        "rdnis" => channel.redirecting_number.clone(),
        "pres" | "num-pres" => {
            if channel.number.is_empty() {
                "unavailable".into()
            } else {
                "allowed_not_screened".into()
            }
        }
        "ani2" | "num-plan" | "ton" | "tns" => "0".into(),
        _ => return None,
    })
}

fn set_caller_id(channel: &mut Channel, part: &str, value: &str) {
    match part.to_ascii_lowercase().as_str() {
        "num" | "number" => value.clone_into(&mut channel.number),
        "name" => value.clone_into(&mut channel.caller_name),
        "all" => (channel.caller_name, channel.number) = parse_caller_id(value),
        "dnid" => value.clone_into(&mut channel.dialed_number),
        "rdnis" => value.clone_into(&mut channel.redirecting_number),
        _ => {}
    }
}

fn of_channel(channel: &Channel, part: &str) -> Option<String> {
    Some(match part.to_ascii_lowercase().as_str() {
        "name" => channel.name.clone(),
        "uniqueid" | "linkedid" => channel.unique_id.clone(),
        "language" => channel.language.clone(),
        "accountcode" => channel.account_code.clone(),
        "channeltype" => channel.technology().to_owned(),
        "state" => if channel.is_up { "Up" } else { "Ring" }.into(),
        "context" => channel.context.clone(),
        "exten" => channel.extension.clone(),
        "musicclass" => "default".into(),
        _ => return None,
    })
}

fn condition(arguments: &str) -> String {
    let (test, branches) = arguments.split_once('?').unwrap_or((arguments, ""));
    let (yes, no) = branches.split_once(':').unwrap_or((branches, ""));
    if is_true(test) { yes.to_owned() } else { no.to_owned() }
}

/// As GotoIf and IF judge: empty and 0 are false.
pub(super) fn is_true(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.parse::<i64>() != Ok(0)
}

fn delimiter(text: &str) -> char {
    text.chars().next().unwrap_or('-')
}

/// One field, counted from 1, or `2-` and `2-3`.
fn cut(text: &str, delimiter_text: &str, range: &str) -> String {
    let delimiter = delimiter(delimiter_text);
    let fields: Vec<&str> = text.split(delimiter).collect();
    let (from, to) = match range.split_once('-') {
        Some((from, to)) => (from.parse().unwrap_or(1), to.parse().unwrap_or(fields.len())),
        None => {
            let only = range.parse().unwrap_or(1);
            (only, only)
        }
    };
    let from = from.max(1) - 1;
    fields.get(from..to.min(fields.len())).unwrap_or_default().join(&delimiter.to_string())
}

fn uri_encode(text: &str) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()".contains(c);
    text.chars()
        .map(|c| if kept(c) { c.to_string() } else { format!("%{:02X}", u32::from(c) & 0xff) })
        .collect()
}

fn uri_decode(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let code =
            rest.get(1..3).filter(|_| c == '%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(code.map_or(c, char::from));
        rest = &rest[if code.is_some() { 3 } else { c.len_utf8() }..];
    }
    out
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64_encode(text: &str) -> String {
    let bytes = super::words::to_wire(text);
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = (word >> (18 - 6 * place) & 63) as usize;
            out.push(if place <= chunk.len() { char::from(BASE64[index]) } else { '=' });
        }
    }
    out
}

fn base64_decode(text: &str) -> String {
    let (mut out, mut word, mut bits) = (String::new(), 0u32, 0);
    for byte in text.bytes() {
        let Some(value) = BASE64.iter().position(|&c| c == byte) else { break };
        word = (word << 6 | value as u32) & 0x00ff_ffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(char::from((word >> bits & 255) as u8));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::parse_caller_id;

    #[test]
    fn caller_ids_are_taken_apart() {
        for (text, name, number) in [
            ("\"Bob Smith\" <123>", "Bob Smith", "123"),
            ("Bob <789>", "Bob", "789"),
            ("Bob Smith", "Bob Smith", ""),
            ("4711", "", "4711"),
            ("<+49-30-123>", "", "+4930123"),
        ] {
            assert_eq!(parse_caller_id(text), (name.into(), number.into()), "{text}");
        }
    }
}
