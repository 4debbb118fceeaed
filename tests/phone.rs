//! The simulated phone over real sockets, against small AGI servers, and the program's `call`.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use agi_bridge::{
    phone::{AgiStatus, Ended, Error, Fault, Options, Phone, Report, Speaker},
    scenario::{Act, Scenario, ServiceStep, parse},
};
use std::{collections::BTreeSet, fs, path::PathBuf, process::Output};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::mpsc,
};

/// An AGI server that sends these lines, each after the reply to the one before, and closes. Gives its URL.
async fn server(lines: &'static [&'static str]) -> String {
    serve(move |mut socket| async move {
        let (read, mut write) = socket.split();
        let mut read = BufReader::new(read);
        let mut line = String::new();
        while read.read_line(&mut line).await.unwrap() > 1 {
            line.clear();
        }
        for command in lines {
            write.write_all(format!("{command}\n").as_bytes()).await.unwrap();
            line.clear();
            while !(line.starts_with("200") || line.starts_with("51")) {
                line.clear();
                if read.read_line(&mut line).await.unwrap() == 0 {
                    return;
                }
            }
        }
        write.shutdown().await.unwrap();
        while read.read_line(&mut line).await.unwrap_or(0) > 0 {}
    })
    .await
}

/// An AGI server that takes one call.
async fn serve<F: Future<Output = ()> + Send>(
    handle: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("agi://{}/test?x=1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        handle(socket).await;
    });
    url
}

fn fast() -> Options {
    Options { speed: 200.0, ..Options::default() }
}

async fn call(options: Options, url: &str) -> Report {
    Phone::new(options).call(url).await.unwrap()
}

/// The transcript without times and without the prelude.
fn lines(report: &Report) -> Vec<String> {
    let is_said = |line: &String| !line.starts_with("A> agi_") && line != "A> ";
    report
        .transcript
        .iter()
        .map(|entry| format!("{} {}", entry.speaker.mark(), entry.text))
        .filter(is_said)
        .collect()
}

#[tokio::test]
async fn a_whole_call_is_told_in_order() {
    let url =
        server(&["ANSWER", "GET DATA beep 2000 4", "SET VARIABLE AGIBRIDGE_STATUS fine", "HANGUP"])
            .await;
    let options = Options { digits: "42#".into(), speed: 20.0, ..Options::default() };
    let (seen, mut live) = mpsc::channel(100);
    let phone =
        Phone::new(options).with_observer(move |entry| seen.try_send(entry.text.clone()).unwrap());
    let report = phone.call(&url).await.unwrap();
    assert_eq!(
        lines(&report),
        [
            "A< ANSWER",
            "A> 200 result=0",
            "A< GET DATA beep 2000 4",
            "-- hears beep (0.44 s)",
            "-- presses 4",
            "-- presses 2",
            "-- presses #",
            "A> 200 result=42",
            "A< SET VARIABLE AGIBRIDGE_STATUS fine",
            "A> 200 result=1",
            "A< HANGUP",
            "A> 200 result=1",
            "A> HANGUP",
            "-- the AGI server closes",
            "A> HANGUP",
        ]
    );
    assert_eq!(report.agistatus, AgiStatus::Hangup);
    assert!(report.is_success());
    assert_eq!(report.position, None);
    assert_eq!(report.variables["AGIBRIDGE_STATUS"], "fine");
    assert_eq!(report.transcript[1].text, "agi_network_script: test?x=1");
    assert_eq!(
        live.recv().await.unwrap(),
        "agi_network: yes",
        "the observer hears it as it happens"
    );
    assert!(report.transcript.is_sorted_by_key(|entry| entry.at));
}

#[tokio::test]
async fn a_caller_is_acted_upon_from_outside() {
    let url = server(&["WAIT FOR DIGIT -1", "WAIT FOR DIGIT -1"]).await;
    let (acts, receiver) = mpsc::channel(4);
    let (seen, mut live) = mpsc::channel(100);
    let phone = Phone::new(fast()).with_acts(receiver).with_observer(move |entry| {
        if entry.speaker == Speaker::ToAsterisk {
            let _ = seen.try_send(());
        }
    });
    let caller = async {
        live.recv().await.unwrap();
        acts.send(Act::Press("7".into())).await.unwrap();
        live.recv().await.unwrap();
        acts.send(Act::HangUp).await.unwrap();
    };
    let (report, ()) = tokio::join!(phone.call(&url), caller);
    let report = report.unwrap();
    assert!(lines(&report).contains(&"A> 200 result=55".to_owned()));
    assert!(lines(&report).contains(&"-- hangs up".to_owned()));
    assert_eq!(report.agistatus, AgiStatus::Hangup);
}

#[tokio::test]
async fn a_crash_of_the_server_looks_like_success() {
    let url = serve(|socket| async move {
        socket.set_zero_linger().unwrap();
    })
    .await;
    let report = call(fast(), &url).await;
    assert_eq!((report.agistatus, report.ended), (AgiStatus::Success, Ended::Server));
}

#[tokio::test]
async fn nobody_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("agi://{}/x", listener.local_addr().unwrap());
    drop(listener);
    let err = Phone::new(fast()).call(&url).await.expect_err("nobody answers");
    assert!(matches!(err, Error::Connect { .. }), "{err}");
    let err = Phone::new(fast()).call("http://x/").await.expect_err("no AGI");
    assert!(matches!(err, Error::Address(_)), "{err}");
    let err =
        Phone::new(Options { speed: 0.0, ..fast() }).call("agi://x/").await.expect_err("no time");
    assert!(matches!(err, Error::Options(_)), "{err}");
}

#[tokio::test]
async fn a_server_that_never_closes_is_given_up() {
    let url = serve(|mut socket| async move {
        let _ = socket.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let report = call(Options { speed: 10_000.0, ..fast() }, &url).await;
    assert_eq!(report.ended, Ended::Fault(Fault::Timeout));
    assert!(!report.is_success());
}

#[tokio::test]
async fn garbage_and_floods_are_cut_off() {
    for (bytes, faults) in [
        (b"x".as_slice(), [Fault::EndlessLine, Fault::EndlessLine]),
        (b"GET /index.html\n", [Fault::Garbage, Fault::Garbage]),
        (b"\0\xff\xfe\n", [Fault::EndlessLine, Fault::Garbage]),
    ] {
        let url = serve(move |socket| async move {
            let chunk = bytes.repeat(1000);
            let (mut read, mut write) = socket.into_split();
            let reader = tokio::spawn(async move { read.read_to_end(&mut Vec::new()).await });
            while write.write_all(&chunk).await.is_ok() {}
            let _ = reader.await;
        })
        .await;
        let report = call(fast(), &url).await;
        let Ended::Fault(fault) = report.ended else { panic!("{:?}", report.ended) };
        assert!(faults.contains(&fault), "{fault}");
    }
}

#[tokio::test]
async fn a_flood_while_a_command_runs_is_cut_off() {
    let url = serve(|socket| async move {
        let (mut read, mut write) = socket.into_split();
        let reader = tokio::spawn(async move { read.read_to_end(&mut Vec::new()).await });
        write.write_all(b"EXEC Wait 200\n").await.unwrap();
        while write.write_all(&b"NOOP\n".repeat(1000)).await.is_ok() {}
        let _ = reader.await;
    })
    .await;
    let report = call(Options { speed: 1.0, ..fast() }, &url).await;
    assert!(
        matches!(report.ended, Ended::Fault(Fault::Flood | Fault::TooLong)),
        "{:?}",
        report.ended
    );
}

async fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_agi-bridge"))
        .arg("call")
        .args(arguments)
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn the_program_says_how_it_went() {
    let url =
        server(&["GET VARIABLE CALLERID(num)", "GET VARIABLE X", "STREAM FILE beep 12"]).await;
    let output = program(&[
        &url,
        "--caller-id",
        "Al <32>",
        "--set",
        "X=y z",
        "--arg",
        "-a",
        "--speed",
        "50",
        "--digits",
        "2",
    ])
    .await;
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "A> agi_arg_1: -a",
        "A> 200 result=1 (32)",
        "A> 200 result=1 (y z)",
        "-- presses 2",
        "A> 200 result=50 endpos=2400",
        "AGISTATUS SUCCESS",
        "goes on at default,s,2",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(output.status.code(), Some(0));

    let url = server(&["STREAM FILE nosuch \"\""]).await;
    let script = scenario_folder().join("stream-file-missing.yaml");
    let output = program(&[&url, "--json", "--quiet", "--script", script.to_str().unwrap()]).await;
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["agistatus"], "FAILURE");
    assert_eq!(output.status.code(), Some(1));

    for wrong in [
        &["http://x/"][..],
        &["agi://127.0.0.1:1/"],
        &["agi://x/", "--digits", "1x"],
        &["agi://x/", "--sounds", "/no/such"],
        &["agi://x/", "--script", "/no/such"],
    ] {
        let output = program(wrong).await;
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!output.stderr.is_empty(), "{wrong:?}");
    }
}

fn scenario_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn scenarios() -> Vec<(String, Scenario)> {
    let files = fs::read_dir(scenario_folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut read: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            (name, parse(&text, &path.display().to_string()).unwrap_or_else(|err| panic!("{err}")))
        })
        .collect();
    read.sort_by(|(left, _), (right, _)| left.cmp(right));
    read
}

/// The JSON names of every command that a scenario's service sends.
fn commands(scenario: &Scenario) -> Vec<String> {
    let controls = scenario.service.iter().flat_map(|step| match step {
        ServiceStep::Send(control) => vec![control.as_ref().clone()],
        ServiceStep::Batch(controls) => controls.clone(),
        ServiceStep::Wait(_) | ServiceStep::WaitFor(_) | ServiceStep::Close(_) => Vec::new(),
    });
    let json = controls.map(|control| serde_json::to_value(control).unwrap());
    let meta = ["id", "timeout", "requiresSuccess", "traceContext"];
    json.filter_map(|control| {
        let command = control.get("command")?.as_object()?.clone();
        command.into_iter().map(|(key, _)| key).find(|key| !meta.contains(&key.as_str()))
    })
    .collect()
}

#[test]
fn the_scenarios_cover_every_command() {
    let all = scenarios();
    assert!(all.len() >= 40, "found {}", all.len());
    let used: BTreeSet<String> = all.iter().flat_map(|(_, scenario)| commands(scenario)).collect();
    let text = include_str!("../proto/agibridge/v1/command.proto");
    let body = text.split("oneof command {").nth(1).unwrap().split('}').next().unwrap();
    let fields = body.lines().filter_map(|line| line.split_once('=')?.0.split_whitespace().nth(1));
    let wanted: BTreeSet<String> = fields.map(camel).collect();
    let missing: Vec<_> = wanted.iter().filter(|name| !used.contains(*name)).collect();
    assert!(wanted.len() >= 48, "{wanted:?}");
    assert!(missing.is_empty(), "no scenario for {missing:?}");
}

#[test]
fn every_scenario_expects_a_result_for_each_command() {
    for (name, scenario) in scenarios() {
        let results =
            scenario.expect.results.as_ref().unwrap_or_else(|| panic!("{name} expects no results"));
        assert_eq!(results.len(), commands(&scenario).len(), "{name}");
        assert!(scenario.expect.agistatus.is_some(), "{name}");
    }
}

fn camel(field: &str) -> String {
    let mut parts = field.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        let (head, tail) = part.split_at(1);
        name + &head.to_uppercase() + tail
    })
}
