//! As much of Asterisk as a call sees of it: one line in, one reply out, a flag for the caller being gone.

/// How the next reply is to come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Well,
    /// -1, as on a failure or a hangup.
    Minus,
    Unknown,
    Usage,
}

/// The reply to `line`, whole, with its line ends.
pub(super) fn reply(line: &str, dead: bool, manner: Manner) -> String {
    let line = line.trim_end_matches('\n');
    if let Some(expression) = line.strip_prefix("GET FULL VARIABLE ") {
        let text = expression.trim_matches('"').replace("${X}", "val)\nHANGUP\nue");
        return format!("200 result=1 ({text})\n");
    }
    let dead_safe = ["NOOP", "EXEC", "SET VARIABLE", "GET VARIABLE", "VERBOSE", "DATABASE"];
    if dead && !dead_safe.iter().any(|word| line.starts_with(word)) {
        return "511 Command Not Permitted on a dead channel or intercept routine\n".into();
    }
    if line == "CHANNEL STATUS" {
        return "200 result=6\n".into();
    }
    match manner {
        Manner::Unknown => "510 Invalid or unknown command\n".into(),
        Manner::Usage => {
            "520-Invalid command syntax.  Proper usage follows:\nExample return code: \
                          200 result=1 (testvariable)\n520 End of proper usage.\n"
                .into()
        }
        Manner::Minus if line.starts_with("STREAM FILE") => "200 result=-1 endpos=0\n".into(),
        Manner::Minus if line.starts_with("SET") => "200 result=1\n".into(),
        Manner::Minus => "200 result=-1\n".into(),
        Manner::Well if line.starts_with("STREAM FILE") => "200 result=35 endpos=800\n".into(),
        Manner::Well if line.starts_with("GET DATA") => "200 result=12 (timeout)\n".into(),
        Manner::Well if line.starts_with("WAIT") => "200 result=49\n".into(),
        Manner::Well if line.starts_with("SET") => "200 result=1\n".into(),
        Manner::Well => "200 result=0\n".into(),
    }
}
