//! `agi-bridge dialplan ROUTE`: the lines for extensions.conf that send calls to a route, and on when that fails.

use crate::{
    config::Config,
    manage::{ROUTE_CONTEXT, ROUTE_PATH},
    route::{Next, Pattern, Route},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    fmt::Write as _,
    io::{self, Write},
};

/// What may stand in a query, and means nothing to the dialplan.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Writes the lines for the route named `name` and returns exit code 0, or what routes there are and 1. `begin`: what
/// stands in AGI() before the path, as `agi://bridge` or `agi:async,`. The error is that of `out` alone.
pub fn dialplan(config: &Config, name: &str, begin: &str, out: &mut dyn Write) -> io::Result<u8> {
    match config.routes.get(name) {
        Some(route) => {
            let mut text = lines(route, begin);
            if !config.api.clients.is_empty() {
                text += &originated(begin);
            }
            out.write_all(text.as_bytes()).map(|()| 0)
        }
        None => {
            let known: Vec<&str> = config.routes.names().map(|name| &**name).collect();
            writeln!(out, "no route is named `{name}`; there are: {}", known.join(", ")).map(|()| 1)
        }
    }
}

fn lines(route: &Route, begin: &str) -> String {
    let parameters =
        Pattern::new(&route.path).map(|path| path.parameter_names()).unwrap_or_default();
    let mut text = heading(route);
    for parameter in &parameters {
        let variable = variable(parameter);
        text += &format!(
            " same => n,Set({variable}=CHANGE-ME)  ; what stands for {{{parameter}}} in the path\n"
        );
    }
    text += "; Left by an earlier call of AGI on this channel, these would mislead below.\n";
    text += " same => n,Set(AGIBRIDGE_STATUS=)\n same => n,Set(AGIBRIDGE_REASON=)\n";
    text += &format!(" same => n,AGI({})\n", url(route, begin));
    text += "; AGIBRIDGE_STATUS is set whenever the call did not end by its service's own will: NO_ROUTE, UNAVAILABLE, LOST, LIMIT, DRAINING,\n";
    text += "; PROTOCOL_ERROR, OPERATOR, or FAILED when the service itself asked for it. AGIBRIDGE_REASON says more.\n";
    text += " same => n,GotoIf($[\"${AGIBRIDGE_STATUS}\" != \"\"]?trouble)\n";
    text += "; FAILURE without it: the bridge was not reached, or a command of the service failed on the way.\n";
    text += " same => n,GotoIf($[\"${AGISTATUS}\" = \"FAILURE\"]?trouble)\n";
    text += "; The service is done. Put here what comes next.\n same => n,Hangup()\n";
    text += &format!(
        " same => n(trouble),Verbose(1,agi-bridge {}: ${{AGISTATUS}} ${{AGIBRIDGE_STATUS}} ${{AGIBRIDGE_REASON}})\n",
        route.name
    );
    text += "; The fallback: a queue, a mailbox, an operator. Never leave the caller in silence.\n";
    text += " same => n,Answer()\n same => n,Playback(sorry-youre-having-problems)\n same => n,Hangup()\n";
    text
}

/// Where a call comes in that a client starts for a route.
fn originated(begin: &str) -> String {
    format!(
        "; Calls that clients start for a route, any route, come in here; AGIBRIDGE_PATH is its path.\n\
         [{ROUTE_CONTEXT}]\nexten => s,1,AGI({begin}${{{ROUTE_PATH}}})\n same => n,Hangup()\n"
    )
}

fn heading(route: &Route) -> String {
    let when = &route.when;
    let context = when.context.clone().unwrap_or_else(|| format!("agi-bridge-{}", route.name));
    let extension = when.extension.as_ref().or(when.dialed_number.as_ref());
    let extension = extension.map_or("_X.", String::as_str);
    let mut text = format!("; Calls for the route {} of agi-bridge.\n", route.name);
    match &route.policy.then.next {
        Next::Fail => {}
        Next::Continue => {
            text += "; Without a service the dialplan goes on with AGISTATUS=SUCCESS (`then` of the route).\n"
        }
        Next::Hangup => text += "; Without a service the bridge hangs up (`then` of the route).\n",
        Next::Goto { context, extension, priority } => {
            let place = plain(&format!("{context},{extension},{priority}"));
            text += &format!(
                "; Without a service the call goes to {place} (`then` of the route), which must exist.\n"
            );
        }
    }
    text += &format!("[{}]\n", plain(&context));
    text += &format!("exten => {},1,NoOp(agi-bridge {})\n", plain(extension), route.name);
    let guards = [
        (&when.dialed_number, "CALLERID(dnid)", "the number that was dialled"),
        (&when.account_code, "CHANNEL(accountcode)", "the account code"),
    ];
    for (wanted, function, what) in guards {
        let Some(wanted) = wanted else { continue };
        text += &format!("; The route asks for {what}.\n");
        text += &format!(
            " same => n,GotoIf($[\"${{{function}}}\" != \"{}\"]?trouble)\n",
            plain(wanted)
        );
    }
    text
}

/// The URL of the route, with variables for its parameters.
fn url(route: &Route, begin: &str) -> String {
    let mut url = begin.to_owned();
    let mut rest = route.path.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        url += &plain(&rest[..at]);
        let doubled = rest[at..].starts_with("{{") || rest[at..].starts_with("}}");
        let end = if doubled {
            at + 2
        } else {
            rest[at..].find('}').map_or(rest.len(), |end| at + end + 1)
        };
        if doubled {
            url.push_str(&rest[at..=at]);
        } else {
            url += &parameter(rest[at..end].trim_matches(['{', '}']));
        }
        rest = &rest[end..];
    }
    url += &plain(rest);
    for (index, (name, value)) in route.when.query.iter().enumerate() {
        let encoded = |text| utf8_percent_encode(text, QUERY);
        let mark = if index == 0 { '?' } else { '&' };
        let _ = write!(url, "{mark}{}={}", encoded(name), encoded(value));
    }
    url
}

fn parameter(name: &str) -> String {
    // A catch-all keeps its slashes, so that its value is written as it stands in the URL.
    match name.strip_prefix('*') {
        Some(rest) => format!("${{{}}}", variable(rest)),
        None => format!("${{URIENCODE(${{{}}})}}", variable(name)),
    }
}

/// The channel variable for a parameter of the path.
fn variable(parameter: &str) -> String {
    let letter = |letter: char| {
        if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' }
    };
    format!("ROUTE_{}", parameter.chars().map(letter).collect::<String>())
}

/// Text where `;` would begin a comment, and a comma or a quote would end an argument.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | ';' | ',' | '"') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn run(yaml: &str, name: &str) -> (u8, String) {
        let config = crate::config::parse(Some(yaml), Path::new(""), std::iter::empty()).unwrap();
        let mut out = Vec::new();
        let code = dialplan(&config, name, "agi://bridge.example", &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    const ROUTES: &str = r#"
routes:
  - name: support
    path: "/support/{queue}/a;{{b}}/{*more}"
    when: {context: from-trunk, dialed_number: "8495", account_code: "a;b", query: {lang: "e,n", x: "1"}}
    services: [{url: "grpc://h:1"}]
    then: {goto: {context: c, extension: e}}
  - {name: all, path: "/{*rest}", services: [{url: "grpc://h:1"}]}
"#;

    #[test]
    fn parameters_and_conditions_are_written_out() {
        let (code, text) = run(ROUTES, "support");
        assert_eq!(code, 0);
        for wanted in [
            "[from-trunk]\nexten => 8495,1,NoOp(agi-bridge support)\n",
            " same => n,Set(ROUTE_QUEUE=CHANGE-ME)",
            " same => n,AGI(agi://bridge.example/support/${URIENCODE(${ROUTE_QUEUE})}/a\\;{b}/${ROUTE_MORE}?lang=e%2Cn&x=1)\n",
            "GotoIf($[\"${CALLERID(dnid)}\" != \"8495\"]?trouble)\n",
            "GotoIf($[\"${CHANNEL(accountcode)}\" != \"a\\;b\"]?trouble)\n",
            "c\\,e\\,1 (`then` of the route), which must exist",
            "n(trouble),",
        ] {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
    }

    #[test]
    fn every_line_is_one_of_the_dialplan() {
        let (_, text) = run(ROUTES, "all");
        let starts =
            [";", "[agi-bridge-all]", "exten => _X.,1,", " same => n,", " same => n(trouble),"];
        assert!(
            text.lines().all(|line| starts.iter().any(|start| line.starts_with(start))),
            "{text}"
        );
    }

    #[test]
    fn calls_that_clients_start_have_a_context_of_their_own() {
        let clients = "api: {listen: '127.0.0.1:1', clients: [{name: crm, token: t}]}\n";
        let (_, text) = run(&format!("{clients}{ROUTES}"), "all");
        assert!(
            text.contains(
                "[agi-bridge]\nexten => s,1,AGI(agi://bridge.example${AGIBRIDGE_PATH})\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_route_is_answered_with_those_there_are() {
        let (code, text) = run(ROUTES, "none");
        assert_eq!(
            (code, text.as_str()),
            (1, "no route is named `none`; there are: support, all\n")
        );
    }
}
