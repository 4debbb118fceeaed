//! Dialplan applications and subroutines, whose arguments are split a second time by Asterisk.

use super::Draft;
use crate::{
    agi::{
        outcome::Kind,
        words::{InvalidArgument, Line},
    },
    proto::{Exec, Gosub},
};

/// Applications that take their data as it stands, or split it without removing quotes and backslashes: a second
/// level of quoting would reach them.
const UNQUOTED: [&str; 10] = [
    "Gosub",
    "GosubIf",
    "Log",
    "Macro",
    "NoOp",
    "Return",
    "SendText",
    "Set",
    "System",
    "TrySystem",
];

/// Applications that return 0 when the caller hung up in them.
const HIDES_HANGUP: [&str; 3] = ["Gosub", "GosubIf", "Read"];

/// Asterisk's array for the arguments of a subroutine.
const GOSUB_ARGUMENTS_MAX: usize = 100;

pub(super) fn exec(command: &Exec) -> Result<Draft, InvalidArgument> {
    let Exec { application, arguments } = command;
    let field = "exec.application";
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\(),".contains(&byte);
    if !application.bytes().all(plain) {
        return Err(InvalidArgument::new(field, "is no name of an application"));
    }
    let is_in = |list: &[&str]| list.iter().any(|name| name.eq_ignore_ascii_case(application));
    let mut line = Line::new("EXEC").required(field, application)?;
    if !arguments.is_empty() {
        let data = if is_in(&UNQUOTED) { arguments.join(",") } else { quoted(arguments) };
        line = line.text("exec.arguments", &data)?;
    }
    Ok(Draft::new(Kind::Exec { hides_hangup: is_in(&HIDES_HANGUP) }, line))
}

/// Joined by commas so that an application that splits and unquotes its arguments gets each as it is.
fn quoted(arguments: &[String]) -> String {
    let mut data = String::with_capacity(arguments.iter().map(|text| text.len() + 1).sum());
    for (place, argument) in arguments.iter().enumerate() {
        if place > 0 {
            data.push(',');
        }
        let balanced = is_balanced(argument);
        for character in argument.chars() {
            let bracket = matches!(character, '(' | ')' | '[' | ']');
            if matches!(character, ',' | '"' | '\\') || bracket && !balanced {
                data.push('\\');
            }
            data.push(character);
        }
    }
    data
}

/// Brackets that close protect nothing outside of themselves, and read better without backslashes.
fn is_balanced(argument: &str) -> bool {
    let (mut round, mut square) = (0_usize, 0_usize);
    for byte in argument.bytes() {
        let (depth, opens) = match byte {
            b'(' => (&mut round, true),
            b')' => (&mut round, false),
            b'[' => (&mut square, true),
            b']' => (&mut square, false),
            _ => continue,
        };
        match (opens, depth.checked_sub(1)) {
            (true, _) => *depth += 1,
            (false, Some(less)) => *depth = less,
            (false, None) => return false,
        }
    }
    round == 0 && square == 0
}

pub(super) fn gosub(command: &Gosub) -> Result<Draft, InvalidArgument> {
    let Gosub { context, extension, priority, arguments } = command;
    let place =
        [("gosub.context", context), ("gosub.extension", extension), ("gosub.priority", priority)];
    let mut line = Line::new("GOSUB");
    for (field, text) in place {
        if text.contains([',', '(']) {
            return Err(InvalidArgument::new(field, "may hold no comma and no parenthesis"));
        }
        line = line.required(field, text)?;
    }
    let field = "gosub.arguments";
    if arguments.len() > GOSUB_ARGUMENTS_MAX {
        let problem = format_args!("are more than {GOSUB_ARGUMENTS_MAX}, Asterisk's limit");
        return Err(InvalidArgument::new(field, problem));
    }
    if !arguments.is_empty() {
        for (place, argument) in arguments.iter().enumerate() {
            check_gosub_argument(&format!("{field}[{place}]"), argument)?;
        }
        line = line.text(field, &arguments.join(","))?;
    }
    Ok(Draft::new(Kind::Gosub, line))
}

/// A subroutine gets its arguments with all quotes and backslashes, so a comma can be protected but not quoted away.
fn check_gosub_argument(field: &str, argument: &str) -> Result<(), InvalidArgument> {
    let (mut quoted, mut escaped, mut depth) = (false, false, [0_usize; 2]);
    for byte in argument.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'(' => depth[0] += 1,
            b')' => depth[0] = depth[0].saturating_sub(1),
            b'[' => depth[1] += 1,
            b']' => depth[1] = depth[1].saturating_sub(1),
            b',' if !quoted && depth == [0, 0] => {
                let problem = "holds a comma, which Asterisk would split at; pass it in a variable";
                return Err(InvalidArgument::new(field, problem));
            }
            _ => {}
        }
    }
    if quoted || escaped || depth != [0, 0] {
        let problem = "holds a quote, bracket or backslash without its end, which would swallow the next comma";
        return Err(InvalidArgument::new(field, problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{check_lines, check_refused},
        *,
    };
    use proptest::prelude::*;

    #[test]
    fn applications_get_their_arguments_as_they_are() {
        check_lines(&[
            (r#"{"exec":{"application":"Answer"}}"#, r#"EXEC "Answer""#),
            (r#"{"exec":{"application":"Wait","arguments":["1"]}}"#, r#"EXEC "Wait" "1""#),
            (r#"{"exec":{"application":"X","arguments":[""]}}"#, r#"EXEC "X" """#),
            (
                r#"{"exec":{"application":"Dial","arguments":["PJSIP/1","","M(a,b)"]}}"#,
                r#"EXEC "Dial" "PJSIP/1,,M(a\\,b)""#,
            ),
            (
                r#"{"exec":{"application":"X","arguments":["(","\"","\\"]}}"#,
                r#"EXEC "X" "\\(,\\\",\\\\""#,
            ),
            (
                r#"{"exec":{"application":"set","arguments":["X=a,b\"c"]}}"#,
                r#"EXEC "set" "X=a,b\"c""#,
            ),
        ]);
        check_refused(&[
            (r#"{"exec":{}}"#, "exec.application: is empty"),
            (r#"{"exec":{"application":"Wait 1"}}"#, "exec.application: is no name"),
            (r#"{"exec":{"application":"Wait(1)"}}"#, "exec.application: is no name"),
            (r#"{"exec":{"application":"X","arguments":["a\nb"]}}"#, "exec.arguments: holds LF"),
        ]);
    }

    #[test]
    fn subroutines_get_their_arguments_as_they_are() {
        check_lines(&[
            (r#"{"gosub":{"context":"c","extension":"s","priority":"1"}}"#, r#"GOSUB "c" "s" "1""#),
            (
                r#"{"gosub":{"context":"c","extension":"s","priority":"1","arguments":["a b","","(x,y)","\"q,\"","\\,"]}}"#,
                r#"GOSUB "c" "s" "1" "a b,,(x,y),\"q,\",\\,""#,
            ),
        ]);
        let with = |argument: &str| {
            format!(
                r#"{{"gosub":{{"context":"c","extension":"s","priority":"1","arguments":["x",{argument}]}}}}"#
            )
        };
        check_refused(&[
            (r#"{"gosub":{}}"#, "gosub.context: is empty"),
            (r#"{"gosub":{"context":"c"}}"#, "gosub.extension: is empty"),
            (r#"{"gosub":{"context":"c","extension":"s"}}"#, "gosub.priority: is empty"),
            (r#"{"gosub":{"context":"c,d"}}"#, "gosub.context: may hold no comma"),
            (
                r#"{"gosub":{"context":"c","extension":"s","priority":"1(x)"}}"#,
                "gosub.priority: may hold no comma",
            ),
            (&with(r#""a,b""#), "gosub.arguments[1]: holds a comma"),
            (&with(r#""\"a""#), "gosub.arguments[1]: holds a quote, bracket or backslash"),
            (&with(r#""\\""#), "gosub.arguments[1]: holds a quote, bracket or backslash"),
            (&with(r#""[""#), "gosub.arguments[1]: holds a quote, bracket or backslash"),
        ]);
    }

    /// Asterisk's second splitting, which removes quotes and backslashes or leaves them.
    fn split(data: &str, removes: bool) -> Vec<String> {
        let (mut arguments, mut quoted, mut escaped, mut depth) =
            (vec![String::new()], false, false, [0; 2]);
        for character in data.chars() {
            let special = !escaped && matches!(character, '\\' | '"');
            let splits = character == ',' && !escaped && !quoted && depth == [0, 0];
            let drops = special && removes;
            if !splits && !drops {
                arguments.last_mut().expect("one at least").push(character);
            }
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = !quoted,
                '(' => depth[0] += 1,
                ')' => depth[0] = i32::max(depth[0] - 1, 0),
                '[' => depth[1] += 1,
                ']' => depth[1] = i32::max(depth[1] - 1, 0),
                ',' if splits => arguments.push(String::new()),
                _ => {}
            }
        }
        arguments
    }

    proptest! {
        #[test]
        fn no_argument_becomes_another(arguments in prop::collection::vec("[a,\"\\\\()\\[\\] ]{0,6}", 1..5)) {
            prop_assert_eq!(&split(&quoted(&arguments), true), &arguments);
            if arguments.iter().all(|argument| check_gosub_argument("f", argument).is_ok()) {
                prop_assert_eq!(&split(&arguments.join(","), false), &arguments);
            }
        }
    }
}
