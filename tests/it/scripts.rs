//! An existing AGI script behind the bridge: it is run as Asterisk would run it, held to its call, and gone with it.

use crate::harness::{Asterisk, Bridge, Script, Service, end, soon, until};
use std::fs;

/// Reads the prelude, as every script does first.
const PRELUDE: &str = "while read -r line && [ -n \"$line\" ]; do :; done\n";
const UNAVAILABLE: &str = r#"SET VARIABLE "AGIBRIDGE_STATUS" "UNAVAILABLE""#;

fn sh(text: &str) -> Script {
    Script::sh(&format!("{PRELUDE}{text}"))
}

async fn ended(bridge: &Bridge, reason: &str) {
    let line =
        format!(r#"agibridge_call_duration_seconds_count{{route="test",end_reason="{reason}"}} 1"#);
    bridge.counted(&line).await;
}

/// Nothing of it runs any more.
async fn gone(script: &Script) {
    until("its processes to be gone", || script.processes().is_empty()).await;
}

/// The script has written this file.
async fn wrote(script: &Script, name: &str) -> String {
    let file = script.beside(name);
    until(name, || fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n'))).await;
    fs::read_to_string(&file).unwrap()
}

/// A service that takes what a script did not.
async fn other() -> Service {
    Service::start(|mut caller| async move {
        caller.started().await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_whole_call() {
    let script = Script::sh(
        "while read -r line && [ -n \"$line\" ]; do\n\
           case $line in agi_request:*) request=${line#*: };; agi_callerid:*) caller=${line#*: };; agi_network*) exit 1;; esac\n\
         done\n\
         echo \"VERBOSE \\\"$1 $caller $request\\\"\"; read -r reply\n\
         echo 'get data pin 5000 4'; read -r reply; echo \"SAY DIGITS ${reply#200 result=} ''\"; read -r reply\n\
         printf 'NOOP last'",
    );
    let bridge = Bridge::at(&[script.url()], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let verbose = format!("VERBOSE \"one 3200 {}\"", script.program().display());
    asterisk.expect(&verbose, "200 result=1\n").await;
    asterisk.expect("get data pin 5000 4", "200 result=0123\n").await;
    asterisk.expect("SAY DIGITS 0123 ''", "200 result=0\n").await;
    assert_eq!(asterisk.finish().await, ["NOOP last"]);
    ended(&bridge, "service").await;
    gone(&script).await;
    let opened = r#"agibridge_stream_opened_total{route="test",transport="script",status="OK"} 1"#;
    bridge.counted(opened).await;
    let data = r#"agibridge_command_duration_seconds_count{command="GET DATA",outcome="raw"} 1"#;
    bridge.counted(data).await;
}

#[tokio::test]
async fn a_hangup_is_a_signal_and_no_line() {
    let script = Script::new(
        "#!/usr/bin/env python3\n\
         import os, signal, sys\n\
         heard = []\n\
         signal.signal(signal.SIGHUP, lambda *_: (heard.append('hup'), os.write(1, b'NOOP hup\\n')))\n\
         while sys.stdin.readline().strip(): pass\n\
         print('WAIT FOR DIGIT -1', flush=True)\n\
         heard.append(sys.stdin.readline().strip())\n\
         heard.append(sys.stdin.readline().strip())\n\
         print('SET VARIABLE HEARD \"%s\"' % ','.join(heard), flush=True)\n\
         sys.stdin.readline()\n",
    );
    let bridge = Bridge::at(&[script.url()], "    hangup_grace: 0s\n", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some("WAIT FOR DIGIT -1"));
    asterisk.send("HANGUP\n").await;
    bridge.listed("the hangup", |call| call.hung_up).await;
    asterisk.send("200 result=-1\n").await;
    asterisk.expect("NOOP hup", "200 result=0\n").await;
    let heard = r#"SET VARIABLE HEARD "hup,200 result=-1,200 result=0""#;
    asterisk.expect(heard, "200 result=1\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    ended(&bridge, "hangup").await;
    bridge.counted(r#"agibridge_call_hangup_total{route="test",source="signal"} 1"#).await;
    gone(&script).await;
}

#[tokio::test]
async fn a_script_that_knows_no_hangup_ends_by_it() {
    let script = sh("echo 'WAIT FOR DIGIT -1'; read -r reply; read -r reply");
    let bridge = Bridge::at(&[script.url()], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect("WAIT FOR DIGIT -1", "HANGUP\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    ended(&bridge, "hangup").await;
    gone(&script).await;
}

#[tokio::test]
async fn garbage_is_answered_and_ends_with_the_script() {
    let script = sh(
        "printf 'a\\0b\\n\\377\\376 x\\n\\n%09000d\\n' 0; read -r a; read -r b; read -r c; read -r d\n\
                     printf '%s\\n' \"$a\" \"$b\" \"$c\" \"$d\" > \"${0%/*}/heard\"; echo ANSWER",
    );
    let bridge = Bridge::at(&[script.url()], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.bytes().await.unwrap(), b"\xff\xfe x");
    asterisk.send("510 Invalid or unknown command\n").await;
    asterisk.expect("", "510 Invalid or unknown command\n").await;
    assert_eq!(asterisk.finish().await, ["ANSWER"]);
    let unknown = "510 Invalid or unknown command\n";
    let usage = "520 Invalid command syntax.  Proper usage not available.\n";
    assert_eq!(wrote(&script, "heard").await, [unknown, unknown, unknown, usage].concat());
    ended(&bridge, "service").await;
    gone(&script).await;
}

#[tokio::test]
async fn what_a_script_forks_ends_with_it() {
    let script = sh("tail -n 0 -f \"$0\" & echo NOOP; read -r reply");
    let bridge = Bridge::at(&[script.url()], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect("NOOP", "200 result=0\n").await;
    // The child holds the script's output for ever: the session ends with the script all the same.
    assert_eq!(asterisk.finish().await, [""; 0]);
    ended(&bridge, "service").await;
    gone(&script).await;
}

#[tokio::test]
async fn a_script_that_ignores_the_hangup_is_killed_with_its_group_when_the_call_ends() {
    let script = sh(
        "trap '' HUP; tail -f \"$0\" >/dev/null & echo NOOP; while :; do read -r reply || sleep 1; done",
    );
    let bridge = Bridge::at(&[script.url()], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect("NOOP", "HANGUP\n").await;
    bridge.listed("the hangup", |call| call.hung_up).await;
    assert!(script.processes().len() >= 2, "{:?}", script.processes());
    asterisk.close().await;
    ended(&bridge, "hangup").await;
    gone(&script).await;
}

#[tokio::test]
async fn an_operator_ends_a_script_too() {
    let script =
        sh("trap '' HUP; echo 'STREAM FILE long #'; while :; do read -r reply || sleep 1; done");
    let bridge = Bridge::at(&[script.url()], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect("STREAM FILE long #", "200 result=0 endpos=1\n").await;
    bridge.listed("the reply to be read", |call| call.command.is_none()).await;
    bridge.hang_up();
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "OPERATOR""#);
    gone(&script).await;
}

#[tokio::test]
async fn a_script_that_never_reads_is_cut_off_alone() {
    let script = sh(
        "trap '' HUP; i=0; while [ $i -lt 100 ]; do echo 'GET VARIABLE X'; i=$((i+1)); done; tail -f \"$0\"",
    );
    let other = other().await;
    let routes = [
        ("test", "/test/{colour}", &*format!("{{url: '{}'}}", script.url()), ""),
        ("other", "/other", &*format!("{{url: '{}'}}", other.url()), ""),
    ];
    let bridge = Bridge::on(&routes, "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let reply = format!("200 result=1 ({})\n", "x".repeat(100_000));
    let mut line = asterisk.line().await.unwrap();
    while line == "GET VARIABLE X" {
        asterisk.send(&reply).await;
        line = asterisk.line().await.unwrap();
    }
    assert_eq!(line, r#"SET VARIABLE "AGIBRIDGE_STATUS" "LOST""#);
    let polite = Asterisk::call_to(bridge.address(), "/other").await.finish().await;
    assert_eq!(polite, [""; 0]);
    asterisk.send("200 result=1\n").await;
    assert_eq!(asterisk.finish().await.last().map(String::as_str), Some("failure"));
    gone(&script).await;
}

#[tokio::test]
async fn one_process_too_many_is_a_call_for_the_next_service() {
    let (script, other) = (sh("echo NOOP; read -r reply; read -r reply"), other().await);
    let services =
        format!("{{url: '{}', max_processes: 1}}, {{url: '{}'}}", script.url(), other.url());
    let bridge = Bridge::on(&[("test", "/test/{colour}", &services, "")], "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some("NOOP"));
    assert_eq!(Asterisk::call(bridge.address()).await.finish().await, [""; 0]);
    let refused = r#"{route="test",transport="script",status="RESOURCE_EXHAUSTED"} 1"#;
    bridge.counted(&format!("agibridge_stream_opened_total{refused}")).await;
    asterisk.close().await;
    gone(&script).await;
    // There is room again once the bridge has seen its end.
    soon("the script to run again", async {
        while Asterisk::call(bridge.address()).await.line().await.is_none() {}
    })
    .await;
    let opened = r#"agibridge_stream_opened_total{route="test",transport="script",status="OK"} 2"#;
    bridge.counted(opened).await;
    gone(&script).await;
}

#[tokio::test]
async fn a_script_without_its_interpreter_is_passed_over() {
    let script = Script::new("#!/no/such/interpreter\n");
    let other = other().await;
    let bridge = Bridge::at(&[script.url(), other.url()], "", "");
    assert_eq!(Asterisk::call(bridge.address()).await.finish().await, [""; 0]);
    let alone = Bridge::at(&[script.url()], "    retry_for: 200ms\n", "");
    let lines = Asterisk::call(alone.address()).await.finish().await;
    assert_eq!(lines[0], UNAVAILABLE);
    assert!(lines[1].contains("interpreter"), "{lines:?}");
}

#[tokio::test]
async fn a_script_that_fails_at_once_gives_the_call_back() {
    let script = Script::sh("exit 3");
    let bridge = Bridge::at(&[script.url()], "", "");
    assert_eq!(Asterisk::call(bridge.address()).await.finish().await, [""; 0]);
    ended(&bridge, "service").await;
}

#[tokio::test]
async fn the_bridge_leaves_no_script_behind_when_it_stops() {
    let script = sh(
        "trap '' HUP; tail -f \"$0\" >/dev/null & echo NOOP; while :; do read -r reply || sleep 1; done",
    );
    let bridge = Bridge::at(&[script.url()], "", "shutdown: {linger: 0s}");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect("NOOP", "200 result=0\n").await;
    let (drained, hurry) = bridge.drain();
    hurry.send(()).await.unwrap();
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "DRAINING""#);
    soon("the drain", drained).await.unwrap();
    gone(&script).await;
}
