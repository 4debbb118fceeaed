//! An existing FastAGI server behind the bridge: it speaks with Asterisk as if nobody stood between them, and whatever it
//! does wrong costs its own call only.

use crate::harness::{Asterisk, Bridge, FastAgi, PRELUDE, Program, Service, nowhere, soon};
use agi_bridge::proto::call_ended::Reason;

const LOST: &str = r#"SET VARIABLE "AGIBRIDGE_STATUS" "LOST""#;

/// A call that a server has.
async fn call() -> (Bridge, Asterisk, Program) {
    call_with("", "").await
}

async fn call_with(route: &str, sections: &str) -> (Bridge, Asterisk, Program) {
    let server = FastAgi::listen();
    let bridge = Bridge::at(&[server.url("")], route, sections);
    let asterisk = Asterisk::call(bridge.address()).await;
    let program = server.accept().await;
    (bridge, asterisk, program)
}

async fn ended(bridge: &Bridge, reason: &str) {
    let line =
        format!(r#"agibridge_call_duration_seconds_count{{route="test",end_reason="{reason}"}} 1"#);
    bridge.counted(&line).await;
}

async fn counted(bridge: &Bridge, command: &str, outcome: &str, count: u32) {
    let labels = format!(r#"{{command="{command}",outcome="{outcome}"}} {count}"#);
    bridge.counted(&format!("agibridge_command_duration_seconds_count{labels}")).await;
}

/// The bridge has done all that it had to do when another call went through it.
async fn still_serves(bridge: &Bridge, server: &FastAgi) {
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let mut program = server.accept().await;
    program.send("NOOP polite\n").await;
    asterisk.expect("NOOP polite", "200 result=0\n").await;
    program.hears("200 result=0").await;
    program.half_close().await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn every_byte_passes_both_ways() {
    let server = FastAgi::listen();
    let bridge = Bridge::at(&[server.url("")], "", "");
    let prelude: Vec<u8> = PRELUDE
        .replace("Alice", "Zo@")
        .bytes()
        .map(|byte| if byte == b'@' { 0xeb } else { byte })
        .collect();
    let mut asterisk = Asterisk::call_with(bridge.address(), &prelude).await;
    let mut program = server.accept().await;
    assert_eq!(program.prelude, prelude);
    program.send(b"SET VARIABLE NAME \"\xe9t\xe9 \x80\xff\"\n").await;
    assert_eq!(asterisk.bytes().await.unwrap(), b"SET VARIABLE NAME \"\xe9t\xe9 \x80\xff\"");
    asterisk.send(b"200 result=1 (\xe9\xa0\r)\n").await;
    assert_eq!(program.bytes().await.unwrap(), b"200 result=1 (\xe9\xa0\r)");
    program.half_close().await;
    assert_eq!(asterisk.bytes().await, None);
    asterisk.send("HANGUP\n").await;
    asterisk.close().await;
    assert_eq!(program.rest().await, b"HANGUP\n");
    ended(&bridge, "service").await;
    assert_eq!(bridge.metrics("agibridge_call_hangup_total{"), [""; 0], "a session's end is none");
}

#[tokio::test]
async fn a_server_with_a_path_sees_itself_called() {
    let server = FastAgi::listen();
    let bridge = Bridge::at(&[server.url("/old/menu.agi")], "", "");
    let _asterisk = Asterisk::call(bridge.address()).await;
    let program = server.accept().await;
    let expected = PRELUDE
        .replace("test/red?lang=en", "old/menu.agi?lang=en")
        .replace("agi://127.0.0.1/", &server.url("/"));
    assert_eq!(String::from_utf8(program.prelude).unwrap(), expected);
}

#[tokio::test]
async fn what_such_programs_really_write_is_tolerated() {
    let (bridge, mut asterisk, mut program) = call().await;
    let digits = format!("say digits {} \"\"", "7".repeat(1000));
    let lines = [
        "answer",
        "stream file hello-world \"\"",
        "  get data  beep 5000 4  ",
        "EXEC Dial SIP/100,20",
        "SET VARIABLE A \"a \\\"b\\\" \\\\c\"",
        "noop 'x' \"",
        "verbose x\r",
        "\t",
        &digits,
    ];
    for line in lines {
        program.send(format!("{line}\n")).await;
        asterisk.expect(line, "200 result=0\n").await;
        program.hears("200 result=0").await;
    }
    program.send("\n").await;
    asterisk.expect("", "510 Invalid or unknown command\n").await;
    program.hears("510 Invalid or unknown command").await;
    counted(&bridge, "ANSWER", "raw", 1).await;
    counted(&bridge, "GET DATA", "raw", 1).await;
    counted(&bridge, "SAY DIGITS", "raw", 1).await;
    counted(&bridge, "RAW", "unknown_command", 1).await;
    let opened = r#"agibridge_stream_opened_total{route="test",transport="fastagi",status="OK"} 1"#;
    bridge.counted(opened).await;
    bridge.listed("the commands", |call| call.commands == 10).await;
}

#[tokio::test]
async fn lines_of_one_segment_go_to_asterisk_one_at_a_time() {
    let server = FastAgi::listen();
    let bridge = Bridge::at(&[server.url("")], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let mut program = server.accept().await;
    program.send("NOOP 1\nNOOP 2\nNOOP 3\n").await;
    for number in 1..=3 {
        assert_eq!(asterisk.line().await.unwrap(), format!("NOOP {number}"));
        still_serves(&bridge, &server).await;
        assert!(asterisk.is_quiet(), "a second line while a command is at Asterisk");
        asterisk.send(format!("200 result={number}\n")).await;
        program.hears(&format!("200 result={number}")).await;
    }
}

#[tokio::test]
async fn a_line_that_comes_while_a_reply_is_outstanding_waits_for_it() {
    let server = FastAgi::listen();
    let bridge = Bridge::at(&[server.url("")], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let mut program = server.accept().await;
    program.send("WAIT FOR DIGIT 5000\n").await;
    assert_eq!(asterisk.line().await.as_deref(), Some("WAIT FOR DIGIT 5000"));
    program.send("NOOP").await;
    still_serves(&bridge, &server).await;
    program.send(" impatient\n").await;
    still_serves(&bridge, &server).await;
    assert!(asterisk.is_quiet());
    asterisk.send("200 result=").await;
    still_serves(&bridge, &server).await;
    assert!(asterisk.is_quiet(), "half a reply is none");
    asterisk.send("49\n").await;
    program.hears("200 result=49").await;
    asterisk.expect("NOOP impatient", "200 result=0\n").await;
    program.hears("200 result=0").await;
}

#[tokio::test]
async fn a_program_that_closes_without_waiting_has_all_of_its_lines_run() {
    let (bridge, mut asterisk, mut program) = call().await;
    program.send("NOOP 1\nNOOP 2\nVERBOSE last").await;
    program.half_close().await;
    asterisk.expect("NOOP 1", "200 result=0\n").await;
    asterisk.expect("NOOP 2", "200 result=0\n").await;
    // As without a bridge: the program is gone when the last line is read, and Asterisk's half is closed then.
    assert_eq!(asterisk.line().await.as_deref(), Some("VERBOSE last"));
    assert_eq!(asterisk.line().await, None);
    asterisk.send("200 result=1\nHANGUP\n").await;
    asterisk.close().await;
    assert_eq!(program.rest().await, b"200 result=0\n200 result=0\n200 result=1\nHANGUP\n");
    ended(&bridge, "service").await;
}

#[tokio::test]
async fn a_program_that_is_gone_at_once_has_all_of_its_lines_run_too() {
    let (bridge, mut asterisk, mut program) = call().await;
    program.send("NOOP 1\nNOOP 2\nVERBOSE last").await;
    drop(program);
    asterisk.expect("NOOP 1", "200 result=0\n").await;
    asterisk.expect("NOOP 2", "200 result=0\n").await;
    assert_eq!(asterisk.finish().await, ["VERBOSE last"]);
    ended(&bridge, "service").await;
}

#[tokio::test]
async fn a_program_that_resets_its_connection_has_just_closed() {
    let (bridge, mut asterisk, mut program) = call().await;
    program.send("NOOP 1\n").await;
    asterisk.expect("NOOP 1", "200 result=0\n").await;
    program.hears("200 result=0").await;
    program.into_wire().reset();
    assert_eq!(asterisk.finish().await, [""; 0]);
    ended(&bridge, "service").await;
}

#[tokio::test]
async fn a_hangup_keeps_its_place_among_the_replies() {
    let (bridge, mut asterisk, mut program) = call().await;
    program.send("GET DATA beep\n").await;
    assert_eq!(asterisk.line().await.as_deref(), Some("GET DATA beep"));
    asterisk.send("HANGUP\n").await;
    program.hears("HANGUP").await;
    asterisk.send("200 result=-1\n").await;
    program.hears("200 result=-1").await;
    program.send("NOOP\nANSWER\n").await;
    asterisk.expect("NOOP", "200 result=0\nHANGUP\n").await;
    program.hears("200 result=0").await;
    program.hears("HANGUP").await;
    let dead = "511 Command Not Permitted on a dead channel or intercept routine";
    asterisk.expect("ANSWER", &format!("{dead}\n")).await;
    program.hears(dead).await;
    bridge.listed("the hangup", |call| call.hung_up).await;
    program.half_close().await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    ended(&bridge, "hangup").await;
    bridge.counted(r#"agibridge_call_hangup_total{route="test",source="signal"} 1"#).await;
    counted(&bridge, "ANSWER", "hung_up", 1).await;
}

#[tokio::test]
async fn work_after_the_hangup_has_no_limit_of_ours() {
    const GRACE: &str = "    hangup_grace: 50ms\n";
    let old = FastAgi::listen();
    let clock = Service::start(|mut caller| async move {
        caller.started().await;
        caller.hangup().await;
        assert_eq!(caller.ended().await.reason(), Reason::Hangup);
        Ok(())
    })
    .await;
    let routes = [
        ("old", "/test/{colour}", &*format!("{{url: '{}'}}", old.url("")), GRACE),
        ("clock", "/clock", &*format!("{{url: '{}'}}", clock.url()), GRACE),
    ];
    let bridge = Bridge::on(&routes, "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let mut program = old.accept().await;
    asterisk.send("HANGUP\n").await;
    program.hears("HANGUP").await;
    // The grace of a call that is hung up later is over: so would be that of this one.
    let mut later = Asterisk::call_to(bridge.address(), "/clock").await;
    later.send("HANGUP\n").await;
    assert_eq!(later.finish().await, [""; 0]);
    program.send("SET VARIABLE BILLED yes\n").await;
    asterisk.expect("SET VARIABLE BILLED yes", "200 result=1\n").await;
    program.hears("200 result=1").await;
}

#[tokio::test]
async fn a_usage_block_passes_whole_and_literal() {
    let (bridge, mut asterisk, mut program) = call().await;
    let block = "520-Invalid command syntax.  Proper usage follows:\n Usage: ANSWER\nHANGUP\n\n\
                 200 result=1\n510 x\n520 End of proper usage.\n";
    program.send("ANSWER x y\nNOOP\n").await;
    assert_eq!(asterisk.line().await.as_deref(), Some("ANSWER x y"));
    for byte in block.bytes() {
        assert!(asterisk.is_quiet());
        asterisk.send([byte]).await;
    }
    asterisk.expect("NOOP", "520 Invalid command syntax.  Proper usage not available.\n").await;
    let end = b"not available.\n";
    let heard = program.up_to(end).await;
    let expected = format!("{block}520 Invalid command syntax.  Proper usage not available.\n");
    assert_eq!(String::from_utf8(heard).unwrap(), expected);
    bridge.listed("the call", |call| !call.hung_up).await;
    counted(&bridge, "ANSWER", "usage", 1).await;
    counted(&bridge, "NOOP", "usage", 1).await;
}

#[tokio::test]
async fn a_program_that_says_failure_ends_the_session_as_failed() {
    let (bridge, mut asterisk, mut program) = call().await;
    program.send("NOOP\nFAILURE because\nNOOP never\n").await;
    asterisk.expect("NOOP", "200 result=0\n").await;
    assert_eq!(asterisk.line().await.as_deref(), Some("FAILURE because"));
    assert_eq!(asterisk.line().await, None);
    asterisk.close().await;
    program.hears("200 result=0").await;
    assert_eq!(program.rest().await, b"");
    ended(&bridge, "service").await;
}

#[tokio::test]
async fn what_would_harm_asterisk_is_answered_in_its_place() {
    let (bridge, mut asterisk, mut program) = call().await;
    program.send("NOOP a\0b\nGET DATA beep 5000 1024\nNOOP\n").await;
    asterisk.expect("NOOP", "200 result=0\n").await;
    program.hears("510 Invalid or unknown command").await;
    program.hears("520 Invalid command syntax.  Proper usage not available.").await;
    program.hears("200 result=0").await;
    counted(&bridge, "RAW", "invalid_argument", 2).await;
}

#[tokio::test]
async fn where_the_server_is_not_there_the_next_service_gets_the_call() {
    let service = Service::start(|mut caller| async move {
        assert!(caller.started().await.resumption.is_none());
        Ok(())
    })
    .await;
    let old = format!("agi://{}", nowhere());
    let bridge = Bridge::at(&[old, service.url()], "", "");
    assert_eq!(Asterisk::call(bridge.address()).await.finish().await, [""; 0]);
    for (transport, status) in [("fastagi", "UNAVAILABLE"), ("grpc", "OK")] {
        let labels = format!(r#"{{route="test",transport="{transport}",status="{status}"}} 1"#);
        bridge.counted(&format!("agibridge_stream_opened_total{labels}")).await;
    }
}

#[tokio::test]
async fn where_nobody_is_there_the_route_says_what_then() {
    let old = format!("agi://{}", nowhere());
    let then = "    retry_for: 200ms\n    then: {announce: sorry, next: hangup}\n";
    let bridge = Bridge::at(&[old], then, "");
    let lines = Asterisk::call(bridge.address()).await.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "UNAVAILABLE""#);
    assert!(lines[1].contains("onnection refused"), "{lines:?}");
    assert_eq!(lines[2..], [r#"STREAM FILE "sorry" """#, "HANGUP"]);
    bridge.counted(r#"agibridge_call_rejected_total{reason="unavailable"} 1"#).await;
}

#[tokio::test]
async fn a_server_that_never_reads_is_cut_off_alone() {
    let server = FastAgi::with_buffer(4096);
    let bridge = Bridge::at(&[server.url("")], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let mut deaf = server.accept().await;
    deaf.send("GET VARIABLE X\n".repeat(400)).await;
    let reply = format!("200 result=1 ({})\n", "x".repeat(100_000));
    let mut line = asterisk.line().await.unwrap();
    while line == "GET VARIABLE X" {
        asterisk.send(&reply).await;
        line = asterisk.line().await.unwrap();
    }
    assert_eq!(line, LOST);
    asterisk.send("200 result=1\n").await;
    let lines = asterisk.finish().await;
    assert_eq!(lines.last().map(String::as_str), Some("failure"));
    bridge.counted(r#"agibridge_stream_lost_total{route="test",status="CANCELLED"} 1"#).await;
    still_serves(&bridge, &server).await;
}

#[tokio::test]
async fn a_server_that_floods_is_held_up_alone() {
    let server = FastAgi::listen();
    let bridge = Bridge::at(&[server.url("")], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let mut flooding = server.accept().await;
    let flood = tokio::spawn(async move {
        let lines = "NOOP flood\n".repeat(1000);
        for _ in 0..100_000 {
            flooding.try_send(&lines).await;
        }
    });
    assert_eq!(asterisk.line().await.as_deref(), Some("NOOP flood"));
    still_serves(&bridge, &server).await;
    assert!(asterisk.is_quiet());
    bridge.hang_up();
    still_serves(&bridge, &server).await;
    asterisk.send("200 result=0\n").await;
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "OPERATOR""#);
    ended(&bridge, "operator").await;
    flood.abort();
}

#[tokio::test]
async fn an_endless_line_is_refused_when_it_ends_and_never_kept() {
    let server = FastAgi::listen();
    let bridge = Bridge::at(&[server.url("")], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let mut program = server.accept().await;
    program.send(vec![b'x'; 20 << 20]).await;
    still_serves(&bridge, &server).await;
    assert!(asterisk.is_quiet());
    program.send("\nNOOP\n").await;
    program.hears("520 Invalid command syntax.  Proper usage not available.").await;
    asterisk.expect("NOOP", "200 result=0\n").await;
    program.hears("200 result=0").await;
}

#[tokio::test]
async fn the_longest_session_ends_for_a_server_too() {
    let (bridge, mut asterisk, mut program) = call_with("    max_call_duration: 1s\n", "").await;
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "LIMIT""#);
    assert_eq!(lines.last().map(String::as_str), Some("failure"));
    assert_eq!(program.rest().await, b"");
    ended(&bridge, "limit").await;
}

#[tokio::test]
async fn an_operator_ends_the_session_between_two_replies() {
    let server = FastAgi::listen();
    let bridge = Bridge::at(&[server.url("")], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let mut program = server.accept().await;
    program.send("STREAM FILE long #\nNOOP never\n").await;
    assert_eq!(asterisk.line().await.as_deref(), Some("STREAM FILE long #"));
    bridge.hang_up();
    still_serves(&bridge, &server).await;
    asterisk.send("200 result=0 endpos=8000\n").await;
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "OPERATOR""#);
    assert_eq!(lines.last().map(String::as_str), Some("HANGUP"));
    program.hears("200 result=0 endpos=8000").await;
    assert_eq!(program.rest().await, b"", "the replies to the bridge's own lines are not its own");
    ended(&bridge, "operator").await;
}

#[tokio::test]
async fn a_drain_waits_for_a_server_and_ends_its_call_when_told() {
    let (bridge, mut asterisk, mut program) = call_with("", "shutdown: {linger: 0s}").await;
    let (drained, hurry) = bridge.drain();
    program.send("NOOP\n").await;
    asterisk.expect("NOOP", "200 result=0\n").await;
    program.hears("200 result=0").await;
    hurry.send(()).await.unwrap();
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "DRAINING""#);
    assert_eq!(program.rest().await, b"");
    soon("the drain", drained).await.unwrap();
}

#[tokio::test]
async fn what_asterisk_said_last_passes_as_the_piece_that_it_is() {
    let (bridge, mut asterisk, mut program) = call().await;
    program.send("NOOP\n").await;
    asterisk.expect("NOOP", "200 resu").await;
    asterisk.close().await;
    assert_eq!(program.rest().await, b"200 resu");
    ended(&bridge, "connection_lost").await;
}

#[tokio::test]
async fn a_reply_without_end_ends_its_call() {
    let (bridge, mut asterisk, mut program) = call().await;
    program.send("NOOP\n").await;
    assert_eq!(asterisk.line().await.as_deref(), Some("NOOP"));
    asterisk.try_send(vec![b'x'; 10 << 20]).await;
    assert_eq!(program.rest().await, b"");
    ended(&bridge, "protocol_error").await;
}

#[tokio::test]
async fn an_operator_ends_at_once_what_only_waits_for_asterisk() {
    let (bridge, mut asterisk, mut program) = call().await;
    program.send("EXEC Dial SIP/100\n").await;
    program.half_close().await;
    assert_eq!(asterisk.line().await.as_deref(), Some("EXEC Dial SIP/100"));
    assert_eq!(asterisk.line().await, None, "no line follows, not even one of the bridge");
    bridge.hang_up();
    // Asterisk says nothing more: the call ends without it.
    ended(&bridge, "service").await;
    crate::harness::until("the call to be gone", || bridge.app().registry().active() == 0).await;
}
