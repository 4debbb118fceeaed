//! Transcripts: what a route with `record` writes, and what comes of it when it is played again.

use crate::harness::{Asterisk, Bridge, FastAgi, PRELUDE, Service, end, until};
use agi_bridge::{
    phone::{ReplayOptions, Replayed, replay},
    proto::{
        Answer, GetChannelStatus, GetData, GetVariable, SetVariable, StreamFile,
        command::Command as Kind,
    },
    transcript::Transcript,
};
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;

const SHOWN: &str = "    record: true\n    redact: nothing";

fn sections(directory: &Path) -> String {
    format!("transcripts: {{directory: {}}}", directory.display())
}

/// A service that asks for a PIN, and sets what it heard as a variable of this name.
async fn service(variable: &'static str) -> Service {
    Service::start(move |mut caller| async move {
        let started = caller.started().await;
        let pin = GetData { file: "pin".into(), max_digits: 4, ..GetData::default() };
        caller.run(Kind::Answer(Answer {})).await;
        caller.run(Kind::GetData(pin)).await;
        caller.run(Kind::GetVariable(GetVariable { name: "X".into() })).await;
        let value = format!("of {}", started.call_id);
        caller.run(Kind::SetVariable(SetVariable { name: variable.into(), value })).await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await
}

/// Asterisk's side of that.
async fn answer(asterisk: &mut Asterisk) {
    asterisk.expect("ANSWER", "200 result=0\n").await;
    asterisk.expect(r#"GET DATA "pin" "0" "4""#, "200 result=0123\n").await;
    let line = asterisk.line().await.unwrap();
    let mark = line.split('"').nth(1).and_then(|word| word.get(..32)).unwrap();
    asterisk.send(format!("200 result=1 ({mark}a\nHANGUP\nb{mark})\n")).await;
    assert!(asterisk.line().await.unwrap().starts_with("SET VARIABLE"));
    asterisk.send("200 result=1\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}

/// The only transcript in the folder, once it is there.
async fn written(directory: &Path) -> String {
    let found = || -> Vec<_> {
        let entries = fs::read_dir(directory).into_iter().flatten().map(|it| it.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|it| it == "transcript")).collect()
    };
    until("a transcript", || found().len() == 1).await;
    fs::read_to_string(&found()[0]).unwrap()
}

/// Without the pauses, which tell how busy the machine was.
fn said(text: &str) -> String {
    let is_pause =
        |line: &&str| line.starts_with("-- ") && line.ends_with('s') && line.contains('.');
    text.lines().filter(|line| !is_pause(line)).map(|line| format!("{line}\n")).collect()
}

async fn play(text: &str, bridge: &Bridge) -> Replayed {
    let transcript = Transcript::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let options = ReplayOptions { speed: 1.0, timeout: Duration::from_mins(1) };
    replay(&transcript, &format!("agi://{}", bridge.address()), options, |_| {}).await.unwrap()
}

/// A recorded call of `service`, played by `prelude` and `answer`.
async fn recorded(service: &Service, route: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let bridge = Bridge::with(&[service], route, &sections(directory.path()));
    let mut asterisk = Asterisk::call(bridge.address()).await;
    answer(&mut asterisk).await;
    let text = written(directory.path()).await;
    (directory, text)
}

#[tokio::test]
async fn a_recorded_call_is_the_same_again_until_its_service_does_something_else() {
    let then = service("PIN").await;
    let (_directory, text) = recorded(&then, SHOWN).await;
    for line in [
        "A> agi_network_script: test/red?lang=en\n",
        "A< ANSWER\nA> 200 result=0\n",
        "A< GET DATA \"pin\" \"0\" \"4\"\nA> 200 result=0123\n",
        "A< GET FULL VARIABLE \"{mark}${X}{mark}\"\nA> 200 result=1 ({mark}a\nA> HANGUP\nA> b{mark})\n",
        "ended: service: the service ended the session\n",
        "-- the AGI server closes\n",
    ] {
        assert!(said(&text).contains(line), "{line}\n{text}");
    }

    let same = play(&text, &Bridge::start(&[&then])).await;
    assert_eq!((same.differences, same.commands, same.is_cut), (vec![], 4, false));

    let other = service("CODE").await;
    let differs = play(&text, &Bridge::start(&[&other])).await;
    let [difference] = &differs.differences[..] else { panic!("{differs:?}\n{text}") };
    assert!(difference.expected.starts_with(r#"SET VARIABLE "PIN" "of "#), "{difference:?}");
    assert!(difference.got.starts_with(r#"SET VARIABLE "CODE" "of "#), "{difference:?}");
    assert_eq!(
        text.lines().nth(difference.line - 1),
        Some(&*format!("A< {}", difference.expected))
    );
}

#[tokio::test]
async fn what_the_route_masks_is_neither_written_nor_compared() {
    let (_directory, text) = recorded(&service("PIN").await, "    record: true").await;
    for line in [
        "masked: digits, values\n",
        "A> agi_network_script: test/•••?lang=•••\n",
        "A> 200 result=••••\n",
        "A> 200 result=1 ({mark}•••\nA> •••\nA> •••{mark})\n",
        "A< SET VARIABLE \"PIN\" \"•••\"\n",
    ] {
        assert!(said(&text).contains(line), "{line}\n{text}");
    }
    // An id may hold any digits.
    let (_head, body) = text.split_once("\n\n").unwrap();
    assert!(!body.contains("0123"), "{text}");
    // It is played with fives, on a path that the route takes.
    let result = play(&text, &Bridge::start(&[&service("PIN").await])).await;
    assert_eq!((result.differences, result.commands), (vec![], 4));
}

#[tokio::test]
async fn a_hangup_comes_again_where_it_came() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        let file = StreamFile { file: "long".into(), ..StreamFile::default() };
        caller.send_command(Kind::StreamFile(file)).await;
        caller.hangup().await;
        caller.result().await;
        caller.run(Kind::ChannelStatus(GetChannelStatus::default())).await;
        let kept = SetVariable { name: "KEPT".into(), value: "yes".into() };
        caller.run(Kind::SetVariable(kept)).await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let bridge = Bridge::with(&[&service], SHOWN, &sections(directory.path()));
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect(r#"STREAM FILE "long" """#, "HANGUP\n").await;
    asterisk.send("200 result=-1 endpos=80\n").await;
    // Not CHANNEL STATUS: a dead channel has none.
    asterisk.expect(r#"SET VARIABLE "KEPT" "yes""#, "200 result=1\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    let text = written(directory.path()).await;
    let hangup =
        "A< STREAM FILE \"long\" \"\"\nA> HANGUP\nA> 200 result=-1 endpos=80\nA< SET VARIABLE";
    assert!(said(&text).contains(hangup) && text.contains("ended: hangup by caller: "), "{text}");
    let result = play(&text, &bridge).await;
    assert_eq!((result.differences, result.commands), (vec![], 2));
}

#[tokio::test]
async fn a_hostile_name_forges_no_line_and_comes_again_as_it_was() {
    let service = service("PIN").await;
    let directory = tempfile::tempdir().unwrap();
    let bridge = Bridge::with(&[&service], SHOWN, &sections(directory.path()));
    let name = b"Eve\rA< HANGUP\x1b[2J\xff\xe2\x80\xa8{mark}\xe2\x80\xa2";
    let before = PRELUDE.split("Alice").next().unwrap();
    let behind = PRELUDE.split("Alice").nth(1).unwrap();
    let prelude = [before.as_bytes(), name, behind.as_bytes()].concat();
    let mut asterisk = Asterisk::call_with(bridge.address(), &prelude).await;
    answer(&mut asterisk).await;
    let text = written(directory.path()).await;
    let shown =
        r"A> agi_calleridname: Eve\x0dA< HANGUP\x1b[2J\xff\xe2\x80\xa8\x7bmark}\xe2\x80\xa2";
    assert!(text.lines().any(|line| line == shown), "{text}");
    assert!(!text.contains('\x1b') && !text.contains('\r'));
    assert!(play(&text, &bridge).await.is_equal());
}

#[tokio::test]
async fn a_program_that_speaks_agi_is_recorded_and_played_too() {
    let server = FastAgi::listen();
    let directory = tempfile::tempdir().unwrap();
    let bridge = Bridge::at(&[server.url("")], SHOWN, &sections(directory.path()));
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let mut program = server.accept().await;
    program.send("NOOP  two   blanks\n").await;
    asterisk.expect("NOOP  two   blanks", "200 result=0\n").await;
    program.hears("200 result=0").await;
    drop(program);
    asterisk.finish().await;
    let text = written(directory.path()).await;
    let played = async {
        let mut program = server.accept().await;
        program.send("NOOP  two   blanks\n").await;
        program.hears("200 result=0").await;
    };
    let (result, ()) = tokio::join!(play(&text, &bridge), played);
    assert_eq!((result.differences, result.commands), (vec![], 1));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_felt_by_no_call() {
    let service = service("PIN").await;
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("folder");
    let bridge = Bridge::with(&[&service], SHOWN, &sections(&folder));
    fs::write(&folder, "no folder").unwrap();
    for _ in 0..2 {
        answer(&mut Asterisk::call(bridge.address()).await).await;
    }
    bridge.counted(r#"agibridge_transcripts_dropped_total{reason="write_failed"} 2"#).await;
    fs::remove_file(&folder).unwrap();
    answer(&mut Asterisk::call(bridge.address()).await).await;
    assert!(written(&folder).await.contains("A< ANSWER\n"));
    bridge.counted("agibridge_transcripts_written_total 1").await;
}

#[tokio::test]
async fn a_route_without_record_ends_the_transcript_that_comes_to_it() {
    let first = Service::start(|mut caller| async move {
        caller.started().await;
        let to = agi_bridge::proto::Handoff { route: "secret".into(), ..Default::default() };
        caller.send(agi_bridge::proto::call_control::Control::Handoff(to)).await;
        caller.ended().await;
        Ok(())
    })
    .await;
    let second = service("PIN").await;
    let urls = [&first, &second].map(|service| format!("{{url: \"{}\"}}", service.url()));
    let directory = tempfile::tempdir().unwrap();
    let routes =
        [("open", "/test/{colour}", &*urls[0], SHOWN), ("secret", "/secret", &*urls[1], "")];
    let bridge = Bridge::on(&routes, &sections(directory.path()));
    let mut asterisk = Asterisk::call(bridge.address()).await;
    answer(&mut asterisk).await;
    let text = written(directory.path()).await;
    assert!(said(&text).ends_with("A>\n-- the rest was not recorded\n"), "{text}");
    assert!(play(&text, &bridge).await.is_cut);
}
