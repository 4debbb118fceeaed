//! What is refused and what is not, in every way in which a name can be written.

use super::*;
use crate::{
    agi::{Exchange, Limits, Verbatim, VerbatimReader, words::asterisk_words},
    proto::{self, command::Command},
};
use proptest::prelude::*;
use std::sync::Arc;

fn globs(names: &[&str]) -> Vec<Glob> {
    names.iter().map(|name| Glob::new(name)).collect()
}

fn allow(names: &[&str]) -> List {
    List { allow: globs(names), deny: Vec::new() }
}

fn deny(names: &[&str]) -> List {
    List { allow: Vec::new(), deny: globs(names) }
}

/// As a service sends it.
fn typed(policy: &CommandPolicy, command: &Command) -> Result<bytes::Bytes, String> {
    let exchange =
        Exchange::new(command, &Limits::default(), || 7).map_err(|error| error.detail)?;
    exchange.judge(policy).map_err(|refused| refused.detail)?;
    Ok(exchange.first_line())
}

fn raw(policy: &CommandPolicy, line: &str) -> Result<(), String> {
    let command = Command::Raw(proto::RawCommand { line: line.to_owned() });
    typed(policy, &command).map(|_| ())
}

fn exec(policy: &CommandPolicy, application: &str, arguments: &[&str]) -> Result<(), String> {
    let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
    let command = Command::Exec(proto::Exec { application: application.to_owned(), arguments });
    typed(policy, &command).map(|_| ())
}

/// As a program that speaks AGI itself sends it: whether it is passed on.
fn relayed(policy: &CommandPolicy, line: &str) -> Result<(), String> {
    let mut reader = VerbatimReader::new(Limits::default(), Arc::new(policy.clone()));
    reader.push(line.as_bytes());
    reader.push(b"\n");
    match reader.next_line().expect("a line") {
        Verbatim::Command { .. } | Verbatim::Failure(_) => Ok(()),
        Verbatim::Refused { why, .. } => Err(why.into_owned()),
    }
}

/// Both ways; they agree.
fn judge(policy: &CommandPolicy, line: &str) -> Result<(), String> {
    let judged = relayed(policy, line);
    assert_eq!(judged, raw(policy, line), "{line}");
    judged
}

#[test]
fn what_reaches_the_machine_is_refused_unless_it_is_allowed() {
    let refused = [
        "EXEC System \"touch x\"",
        "exec tRYsYSTEM x",
        " EXEC  \"Sys\\tem\" x",
        "EXEC AGI x.sh",
        "EXEC Exec System(x)",
        "EXEC ExecIf 1?System(x)",
        "EXEC TryExec \"NoOp()\"",
        "EXEC Originate Local/x,app,System,x",
        "EXEC MixMonitor \"a.wav,b,rm x\"",
        "EXEC MixMonitor \"\\\"a,b\\\",b,rm x\"",
        "EXEC Queue \"q,,,,,x.agi\"",
        "EXEC Set \"FILE(/tmp/x)=y\"",
        "EXEC Set \"X=${SHELL(id)}\"",
        "EXEC MSet \"A=1,FILE(/tmp/x)=y\"",
        "EXEC Read \"FI\\\\LE(/tmp/x)\"",
        "EXEC Read \"\\\"FILE(/tmp/x)\\\"\"",
        "EXEC Read \"${X}\"",
        "EXEC Set \"${X}=y\"",
        "EXEC NoOp ${${X}}",
        "EXEC Set __MONITOR_EXEC=x",
        "GET VARIABLE SHELL(id)",
        "GET VARIABLE \"SHELL\"(id)",
        "GET VARIABLE CUT(${X},,1)",
        "GET VARIABLE EVAL(x)",
        "GET FULL VARIABLE ${SHELL(id)}",
        "GET FULL VARIABLE a${LEN(${SHELL(id)})}",
        "GET FULL VARIABLE ${${X}}",
        "GET FULL VARIABLE ${SH${X}}",
        "GET FULL VARIABLE ${CUT(${X},,1)}",
        "GET FULL VARIABLE $[SHELL(id)]",
        "GET FULL VARIABLE \"$[SHELL (id)]\"",
        "GET FULL VARIABLE $[${X}]",
        "GET FULL VARIABLE ${SHELL(id)",
        "SET VARIABLE FILE(/tmp/x) y",
        "SET VARIABLE EXPORT(other,FILE(/tmp/x)) y",
        "SET VARIABLE MONITOR_EXEC x",
        "SET VARIABLE GLOBAL(_MONITOR_EXEC) x",
    ];
    for line in refused {
        assert!(judge(&CommandPolicy::default(), line).is_err(), "{line}");
        let open = CommandPolicy {
            applications: allow(&["*"]),
            functions: allow(&["*"]),
            variables: allow(&["*"]),
            ..CommandPolicy::default()
        };
        assert_eq!(judge(&open, line), Ok(()), "{line}");
    }
}

#[test]
fn what_a_voice_service_does_is_allowed() {
    let allowed = [
        "EXEC Playback hello&world",
        "EXEC Dial \"PJSIP/3200,20,g\"",
        "EXEC MixMonitor \"a.wav,bW(2)\"",
        "EXEC MixMonitor a.wav",
        "EXEC Queue \"q,t,,,60,,sub\"",
        "EXEC Set \"X=${URIDECODE(a%0Ab)}\"",
        "EXEC Set X=SHELLS",
        "EXEC NoOp \"file (1), SHELL(x)\"",
        "EXEC Verbose \"costs ${PRICE}\"",
        "EXEC Read X",
        "EXEC Wait 1",
        "EXEC",
        "EXEC NoSuchApplication",
        "GET VARIABLE CALLERID(num)",
        "GET VARIABLE SHELL",
        "GET FULL VARIABLE \"${CALLERID(name)} $[1+2] ${X:1}\"",
        "SET VARIABLE CALLERID(name) SHELL(x)",
        "SET VARIABLE X ${SHELL(id)}",
        "DATABASE PUT a b SHELL(x)",
        "VERBOSE SHELL(x)",
        "NOSUCH SHELL(x)",
        "GOSUB c s 1 SHELL(x)",
    ];
    for line in allowed {
        assert_eq!(judge(&CommandPolicy::default(), line), Ok(()), "{line}");
    }
}

#[test]
fn a_refusal_names_the_key_that_would_change_it() {
    let policy = CommandPolicy {
        applications: deny(&["*Spy"]),
        commands: deny(&["database *", "RAW"]),
        ..CommandPolicy::default()
    };
    let told = |line| judge(&policy, line).expect_err(line);
    assert_eq!(
        told("EXEC system x"),
        "policy.allow.applications: does not name `system`, which runs a program on Asterisk's machine"
    );
    assert_eq!(told("EXEC ChanSpy x"), "policy.deny.applications: names `ChanSpy`");
    assert_eq!(told("DATABASE GET a b"), "policy.deny.commands: names `DATABASE GET`");
    assert_eq!(told("NOSUCH"), "policy.deny.commands: names `RAW`");
    assert!(
        told("GET VARIABLE SHELL(x)").starts_with("policy.allow.functions: does not name `SHELL`")
    );
    assert!(told("GET FULL VARIABLE ${${X}}").starts_with("policy.allow.functions: text that"));
}

#[test]
fn allow_wins_over_deny() {
    let policy = CommandPolicy {
        commands: List { allow: globs(&["EXEC", "get *"]), deny: globs(&["*"]) },
        applications: List { allow: globs(&["System"]), deny: Vec::new() },
        functions: allow(&["SHELL"]),
        variables: List { allow: globs(&["IVR_*"]), deny: globs(&["*"]) },
        ..CommandPolicy::default()
    };
    for (line, is_allowed) in [
        ("EXEC System x", false), // `x` is a word that could be the name of a variable
        ("EXEC System IVR_x", true),
        ("EXEC TrySystem", false),
        ("GET VARIABLE IVR_X", true),
        ("GET VARIABLE X", false),
        ("GET FULL VARIABLE ${SHELL(IVR_X)}", true),
        ("GET FULL VARIABLE ${FILE(IVR_X)}", false),
        ("ANSWER", false),
    ] {
        assert_eq!(judge(&policy, line).is_ok(), is_allowed, "{line}");
    }
}

#[test]
fn only_these_targets_are_dialled() {
    let policy = CommandPolicy {
        dial: List { allow: globs(&["PJSIP/3???", "Local/*@ivr"]), deny: globs(&["*"]) },
        ..CommandPolicy::default()
    };
    for (line, is_allowed) in [
        ("EXEC Dial PJSIP/3200", true),
        ("EXEC Dial \"pjsip/3200&Local/1@ivr,20,g\"", true),
        ("EXEC Dial \"PJSIP/3200&PJSIP/4000\"", false),
        ("EXEC Dial \"\\\"PJSIP/3200,&PJSIP/4000\\\"\"", false),
        ("EXEC Dial PJSIP/32001", false),
        ("EXEC Dial Local/1@ivr/n", false),
        ("EXEC Page PJSIP/4000", false),
        ("EXEC RetryDial \"a,1,2,PJSIP/3200,20\"", true),
        ("EXEC RetryDial \"a,1,2,PJSIP/4000,20\"", false),
        ("EXEC RetryDial \"\\\"a,b\\\",1,PJSIP/3200,PJSIP/3200\"", false),
        ("EXEC Dial", true),
        ("EXEC Playback PJSIP/4000", true),
    ] {
        assert_eq!(judge(&policy, line).is_ok(), is_allowed, "{line}");
    }
    assert!(exec(&policy, "Dial", &["PJSIP/4000"]).is_err_and(|told| !told.contains("4000")));
}

/// What Asterisk could be brought to run, written from the description of its parsers and not from the code above: quotes and
/// backslashes gone, case of no meaning.
fn calls_shell(text: &[u8]) -> bool {
    let text: String = String::from_utf8_lossy(text)
        .chars()
        .filter(|character| !matches!(character, '"' | '\\'))
        .collect::<String>()
        .to_ascii_uppercase();
    text.match_indices("SHELL(").any(|(at, _)| {
        !text[..at].ends_with(|before: char| before.is_ascii_alphanumeric() || before == '_')
    })
}

/// What of a line Asterisk looks at for functions.
fn is_forbidden(line: &[u8]) -> bool {
    let words = asterisk_words(line);
    let upper = |place: usize| words.get(place).map(|word| word.to_ascii_uppercase());
    let is = |place: usize, name: &str| upper(place).as_deref() == Some(name.as_bytes());
    let word = |place: usize| words.get(place).map_or(&b""[..], |word| word);
    if is(0, "EXEC") {
        let programs = ["SYSTEM", "TRYSYSTEM", "AGI", "EXEC", "EXECIF", "TRYEXEC"];
        return programs.iter().any(|name| is(1, name)) || !is(1, "NOOP") && calls_shell(word(2));
    }
    if is(0, "GET") && is(1, "VARIABLE") || is(0, "SET") && is(1, "VARIABLE") {
        return calls_shell(word(2));
    }
    is(0, "GET") && is(1, "FULL") && is(2, "VARIABLE") && {
        let word = String::from_utf8_lossy(word(3)).into_owned();
        word.find("${").is_some_and(|at| calls_shell(&word.as_bytes()[at..]))
    }
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(
            &[
                "EXEC ",
                "exec ",
                "GET VARIABLE ",
                "Get Full Variable ",
                "SET VARIABLE ",
                "System",
                "trySYSTEM ",
                "AGI ",
                "ExecIf",
                "NoOp ",
                "Set ",
                "Read ",
                "SHELL(",
                "shell(",
                "SH\\ELL(",
                "SHE\"LL(",
                "${",
                "$[",
                "}",
                "]",
                ")",
                "X=",
                "id",
                ",",
                "?",
                " ",
                "\"",
                "\\",
                "\\\\",
                "\\\"",
            ][..]
        )
        .prop_map(str::to_owned),
        "\\PC{0,4}",
    ]
}

fn line() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 1..9).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_line_that_is_written_runs_what_is_forbidden(line in line()) {
        let policy = CommandPolicy::default();
        if raw(&policy, &line).is_ok() {
            prop_assert!(!is_forbidden(line.as_bytes()), "{line}");
        }
        if !line.contains('\n') && relayed(&policy, &line).is_ok() {
            prop_assert!(!is_forbidden(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn no_typed_command_runs_what_is_forbidden(
        application in prop::sample::select(&["System", "SYSTEM", "Playback", "set", "Exec", "Read"][..]),
        arguments in prop::collection::vec(line(), 0..3),
        name in line(),
    ) {
        let policy = CommandPolicy::default();
        let commands = [
            Command::Exec(proto::Exec { application: application.to_owned(), arguments }),
            Command::GetVariable(proto::GetVariable { name: name.clone() }),
            Command::GetFullVariable(proto::GetFullVariable { expression: name.clone(), channel: String::new() }),
            Command::SetVariable(proto::SetVariable { name, value: "x".to_owned() }),
        ];
        for command in commands {
            if let Ok(line) = typed(&policy, &command) {
                let line = line.strip_suffix(b"\n").expect("an end");
                prop_assert!(!is_forbidden(line), "{}", String::from_utf8_lossy(line));
            }
        }
    }
}
