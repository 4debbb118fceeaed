//! Pure: the environment of an async AGI call, as Asterisk's event has it, made into the prelude that FastAGI would send.
//!
//! There is no AGI URL, so path and query stand in the first argument: `AGI(agi:async,/ivr?lang=en,more)` is
//! `AGI(agi://bridge/ivr?lang=en,more)`. Without such an argument the path is `/`.

/// Stands before the arguments, and behind everything that a caller can choose.
const LAST_KEY: &[u8] = b"agi_threadid: ";
const ARGUMENT: &[u8] = b"agi_arg_";

/// The environment holds a line that Asterisk did not write: whose word the first argument is cannot be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value in the environment of the call has line breaks, which forge lines")]
pub(super) struct Forged;

/// The prelude, with its empty line.
pub(super) fn prelude(environment: &str) -> Result<Vec<u8>, Forged> {
    let text = decode(environment);
    let lines = || text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let at = lines().position(|line| line.starts_with(LAST_KEY)).ok_or(Forged)?;
    let is_argument = |line: &&[u8]| line.starts_with(ARGUMENT);
    // Arguments come last and are counted: whatever else is a caller's doing.
    let own = lines().take(at + 1);
    let arguments: Vec<_> = lines().skip(at + 1).collect();
    let numbered = |(number, line): (usize, &&[u8])| {
        line.starts_with(format!("agi_arg_{}: ", number + 1).as_bytes())
    };
    if own.clone().any(|line| is_argument(&line)) || !arguments.iter().enumerate().all(numbered) {
        return Err(Forged);
    }
    let mut values = arguments.iter().map(|line| value(line)).peekable();
    let script = values.next_if(|value| value.starts_with(b"/")).unwrap_or_default();
    let script = script.strip_prefix(b"/").unwrap_or_default();
    let mut prelude = b"agi_network: yes\n".to_vec();
    let mut add = |line: &[u8]| prelude.extend(line.iter().chain(b"\n"));
    if !script.is_empty() {
        add(&[b"agi_network_script: ", script].concat());
    }
    own.for_each(&mut add);
    for (number, value) in (1..).zip(values) {
        add(&[format!("agi_arg_{number}: ").as_bytes(), value].concat());
    }
    add(b"");
    Ok(prelude)
}

/// Percent escapes, as Asterisk writes them into events. What is no escape stays as it is.
pub(super) fn decode(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

fn value(line: &[u8]) -> &[u8] {
    let colon = line.windows(2).position(|pair| pair == b": ");
    colon.map_or(&[], |colon| &line[colon + 2..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    const START: &str = "agi_request: async\nagi_channel: PJSIP/1\nagi_calleridname: ";
    const REST: &str = "\nagi_priority: 2\nagi_threadid: 1\n";

    fn of(name: &str, arguments: &str) -> Result<String, Forged> {
        let text = format!("{START}{name}{REST}{arguments}\n");
        let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
        prelude(&encoded).map(|bytes| String::from_utf8(bytes).expect("it was text"))
    }

    #[test]
    fn the_first_argument_holds_path_and_query() {
        let prelude = of("Ann", "agi_arg_1: /ivr?lang=en\nagi_arg_2: a\nagi_arg_3: \n").unwrap();
        let script = "agi_network: yes\nagi_network_script: ivr?lang=en\n";
        assert_eq!(prelude, format!("{script}{START}Ann{REST}agi_arg_1: a\nagi_arg_2: \n\n"));
    }

    #[test]
    fn without_a_path_the_arguments_are_the_calls_own() {
        let network = "agi_network: yes\n";
        assert_eq!(of("Ann", "").unwrap(), format!("{network}{START}Ann{REST}\n"));
        let prelude = of("Ann", "agi_arg_1: x\nagi_arg_2: /y\n").unwrap();
        assert_eq!(prelude, format!("{network}{START}Ann{REST}agi_arg_1: x\nagi_arg_2: /y\n\n"));
        assert_eq!(of("Ann", "agi_arg_1: /\n").unwrap(), format!("{network}{START}Ann{REST}\n"));
    }

    #[test]
    fn nobody_chooses_a_route_by_a_line_break() {
        let injected = "\nagi_arg_1: /admin";
        assert_eq!(of(&format!("Ann{injected}"), ""), Err(Forged));
        assert_eq!(of(&format!("Ann{injected}"), "agi_arg_1: /ivr\n"), Err(Forged));
        let all = format!("Ann\nagi_threadid: 1{injected}");
        assert_eq!(of(&all, ""), Err(Forged), "what follows is no argument");
        assert_eq!(of(&all, "agi_arg_1: /ivr\n"), Err(Forged));
        assert_eq!(of("Ann", "agi_arg_1: /ivr\nagi_arg_2: a\nagi_arg_1: /admin\n"), Err(Forged));
        assert_eq!(prelude("rubbish"), Err(Forged));
        assert_eq!(prelude("%"), Err(Forged));
    }
}
