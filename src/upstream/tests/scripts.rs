//! Links to scripts, which are real processes here.

use super::{
    raw::{all, next, opening_with},
    *,
};
use crate::agi::Prelude;
use rustix::process::{Pid, Signal, kill_process};
use std::{fs, path::PathBuf, process::Command};
use tempfile::TempDir;

const PRELUDE: &[u8] =
    b"agi_network: yes\nagi_network_script: x\nagi_request: agi://h/x\nagi_channel: PJSIP/1\n\
    agi_calleridname: Zo\xeb\nagi_arg_1: two words\nagi_arg_2: \nagi_arg_3: $HOME;'\"\n\n";

/// A service that is a script.
struct Script {
    service: Arc<Service>,
    program: PathBuf,
    _folder: TempDir,
}

/// Its text is one of `sh`.
fn sh(text: &str) -> Script {
    script(&format!("#!/bin/sh\n{text}\n"))
}

fn python(text: &str) -> Script {
    script(&format!("#!/usr/bin/env python3\n{text}\n"))
}

fn script(text: &str) -> Script {
    let folder = tempfile::tempdir().expect("a folder");
    let (draft, program) = (folder.path().join("draft"), folder.path().join("script"));
    fs::write(&draft, text).expect("written");
    // Another process writes the program: one that is open for writing, here or in a child of another test, cannot be run.
    let copied = Command::new("install").arg("-m755").args([&draft, &program]).status();
    assert!(copied.expect("install runs").success());
    let url = format!("exec:{}", program.display()).into();
    let target = Target::Script { program: program.clone() };
    let service = Arc::new(Service { url, target, ..service("unused", 1) });
    Script { service, program, _folder: folder }
}

impl Script {
    async fn open(&self) -> RawLink {
        self.open_as(&opening_with(PRELUDE)).await
    }

    async fn open_as(&self, opening: &Opening) -> RawLink {
        let services = [self.service.clone()];
        let core = Core::new(Resolver::system(), &services);
        let link = core.open_raw(&services, opening).await.expect("started");
        assert_eq!(core.outcomes(), ["ok"]);
        link
    }
}

/// One line of a script, as soon as it is there.
async fn line(link: &mut RawLink) -> String {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        line.extend(next(link).await.expect("a whole line"));
    }
    String::from_utf8(line).expect("text").trim_end().to_owned()
}

/// The processes that a script tells in its first line.
async fn numbers<const N: usize>(link: &mut RawLink) -> [i32; N] {
    let numbers = line(link)
        .await
        .split(' ')
        .map(|number| number.parse().expect("a process"))
        .collect::<Vec<_>>();
    numbers.try_into().expect("as many as wanted")
}

/// Whether a process is there, and no mere entry that its parent did not fetch yet.
fn is_running(process: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { return false };
    !stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with(['Z', 'X']))
}

#[tokio::test]
async fn a_script_gets_the_arguments_of_the_dialplan_and_the_prelude_of_a_local_one() {
    let script = sh("printf '<%s>' \"$0\" \"$@\"; pwd; cat");
    let mut link = script.open().await;
    assert!(link.endpoint().starts_with(&script.program.display().to_string()));
    assert_eq!(link.service(), &script.service);
    link.write(b"200 result=\xff\0\n");
    link.finish();
    let program = script.program.display();
    let wanted = [
        format!("<{program}><two words><><$HOME;'\"></>\nagi_request: {program}\n")
            .replace("</>", "/")
            .as_bytes(),
        b"agi_channel: PJSIP/1\nagi_calleridname: Zo\xeb\nagi_arg_1: two words\nagi_arg_2: \n\
          agi_arg_3: $HOME;'\"\n\n200 result=\xff\0\n",
    ]
    .concat();
    assert_eq!(all(&mut link).await.escape_ascii().to_string(), wanted.escape_ascii().to_string());
}

#[tokio::test]
async fn a_script_gets_a_clean_environment() {
    let mut opening = opening_with(PRELUDE);
    let told =
        [("agibridge-route", "support"), ("traceparent", "00-ab-cd-01"), ("x-key", "s3cret")];
    opening.metadata.extend(told.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let script = sh("exec env -0");
    let given = all(&mut script.open_as(&opening).await).await;
    let given = String::from_utf8(given).expect("text");
    let mut ours = Vec::new();
    for entry in given.split_terminator('\0') {
        let (name, value) = entry.split_once('=').expect("a variable");
        match name {
            "PATH" | "HOME" | "USER" | "LANG" | "TZ" | "TMPDIR" => {}
            _ if name.starts_with("LC_") => {}
            // The shell's own.
            "PWD" | "OLDPWD" | "SHLVL" | "_" => {}
            _ => ours.push((name, value)),
        }
    }
    ours.sort_unstable();
    assert_eq!(
        ours,
        [
            ("AGIBRIDGE_CALL_ID", "call-1"),
            ("AGIBRIDGE_ROUTE", "support"),
            ("TRACEPARENT", "00-ab-cd-01")
        ]
    );
}

#[tokio::test]
async fn what_a_script_wrote_before_its_end_is_read_though_a_child_holds_its_output() {
    let script = python(
        "import os, subprocess, sys\n\
         held = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n\
         sys.stdout.write('%d\\n' % held.pid + 'x' * 50000)\n\
         sys.stdout.flush()\n\
         os._exit(3)",
    );
    let mut link = script.open().await;
    let output = String::from_utf8(all(&mut link).await).expect("text");
    let (held, rest) = output.split_once('\n').expect("a line");
    assert_eq!(rest.len(), 50000);
    let held = held.parse().expect("a process");
    assert!(is_running(held), "it has left the group");
    kill_process(Pid::from_raw(held).expect("a number"), Signal::KILL).expect("it is ours");
}

#[tokio::test]
async fn what_a_script_wrote_is_there_also_for_who_reads_late() {
    let script = sh("setsid sleep 1000 & echo $!; printf '%050000d' 7");
    let mut link = script.open().await;
    let endpoint = link.endpoint();
    let process = endpoint.split(['(', ' ', ')']).rfind(|part| !part.is_empty()).expect("a number");
    // Its parent, which is our task, has seen its end.
    until(|| !fs::exists(format!("/proc/{process}")).expect("readable")).await;
    let output = String::from_utf8(all(&mut link).await).expect("text");
    let (held, rest) = output.split_once('\n').expect("a line");
    assert_eq!(rest.len(), 50000);
    let held = held.parse().expect("a process");
    kill_process(Pid::from_raw(held).expect("a number"), Signal::KILL).expect("it is ours");
}

#[tokio::test]
async fn what_a_script_forked_is_killed_when_it_ends() {
    let script = sh("sleep 1000 & echo $!");
    let mut link = script.open().await;
    let [forked] = numbers(&mut link).await;
    assert_eq!(next(&mut link).await, None);
    until(|| !is_running(forked)).await;
}

#[tokio::test]
async fn a_hangup_is_a_signal_to_the_process_alone() {
    let script = python(
        "import os, signal, subprocess\n\
         child = subprocess.Popen(['sleep', '1000'])\n\
         def hup(*_):\n    os.write(1, b'hup %r\\n' % child.poll()); os._exit(0)\n\
         signal.signal(signal.SIGHUP, hup)\n\
         os.write(1, b'ready\\n')\n\
         while True: signal.pause()",
    );
    let mut link = script.open().await;
    assert_eq!(line(&mut link).await, "ready");
    link.hang_up();
    assert_eq!(line(&mut link).await, "hup None");
    assert_eq!(next(&mut link).await, None);
}

#[tokio::test]
async fn a_script_that_knows_no_hangup_is_ended_by_it_when_the_call_is_over() {
    let script = sh("sleep 1000 & echo $$ $!; wait");
    let mut link = script.open().await;
    let [process, child] = numbers(&mut link).await;
    drop(link);
    until(|| !is_running(process) && !is_running(child)).await;
}

#[tokio::test]
async fn a_script_that_ignores_the_hangup_is_killed_with_its_group_after_a_while() {
    let script = sh("trap '' HUP; sleep 1000 & echo $$ $!; sleep 1000");
    let mut link = script.open().await;
    let [process, child] = numbers(&mut link).await;
    let clock = Clock::stopped();
    drop(link);
    for _ in 0..1000 {
        yield_now().await;
    }
    assert!(is_running(process) && is_running(child), "it has time to end");
    clock.pass(Duration::from_secs(3)).await;
    until(|| !is_running(process) && !is_running(child)).await;
}

#[tokio::test]
async fn a_script_that_never_reads_costs_its_own_call_only() {
    let script = sh("echo $$; exec sleep 1000");
    let mut link = script.open().await;
    let [process] = numbers(&mut link).await;
    link.write(&[b'x'; 1 << 20]);
    let waiting = link.unsent();
    assert!(waiting > 0);
    link.write(b"y");
    assert_eq!(link.unsent(), waiting + 1);
    assert!(poll_fn(|cx| link.poll_flush(cx)).now_or_never().is_none());
    link.finish();
    drop(link);
    until(|| !is_running(process)).await;
}

#[tokio::test]
async fn a_script_that_floods_its_standard_error_is_not_held_up() {
    let script = python(
        "import sys\n\
         sys.stderr.write(('\\x1b[2J' + 'x' * 100 + '\\n') * 6000)\n\
         print('done', flush=True)",
    );
    let mut link = script.open().await;
    assert_eq!(line(&mut link).await, "done");
    assert_eq!(next(&mut link).await, None);
}

#[tokio::test]
async fn the_last_words_of_a_script_are_in_the_log_with_the_call() {
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl<'a> MakeWriter<'a> for Log {
        type Writer = Self;
        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // A child that left the group holds the pipe.
    let script = sh("setsid sleep 1000 & echo $!; printf 'Trace\\033back\\nlast' >&2");
    let mut link = script.open().await;
    let [held] = numbers(&mut link).await;
    assert_eq!(next(&mut link).await, None);
    kill_process(Pid::from_raw(held).expect("a number"), Signal::KILL).expect("it is ours");
    let log = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("text");
    for wanted in ["line=Trace\\u{1b}back\n", "line=last\n", "call_id=\"call-1\""] {
        assert!(log.contains(wanted), "{wanted:?} in {log}");
    }
}

#[tokio::test]
async fn no_more_of_a_script_run_than_may() {
    let script = sh("exec cat");
    let limited = Service { max_processes: 2, ..(*script.service).clone() };
    let other = sh("echo other");
    let services = [Arc::new(limited), other.service.clone()];
    let core = Core::new(Resolver::system(), &services);
    let opening = opening_with(PRELUDE);
    let mut first = core.open_raw(&services, &opening).await.expect("started");
    let _second = core.open_raw(&services, &opening).await.expect("started");
    let third = core.open_raw(&services, &opening).await.expect("started");
    assert_eq!(third.service(), &services[1]);
    assert_eq!(core.outcomes(), ["ok", "ok", "resource_exhausted", "ok"]);
    first.finish();
    all(&mut first).await;
    // The end of its output comes a little before its own.
    while core.open_raw(&services, &opening).await.expect("started").service() != &services[0] {}
}

#[tokio::test]
async fn a_script_that_cannot_start_leads_to_the_next() {
    let lost = script("#!/no/such/interpreter\n");
    let no_program = script("\x7fELF of no machine");
    let missing = sh("exit");
    fs::remove_file(&missing.program).expect("it was there");
    let other = sh("echo other");
    let all_of_them = [&lost, &no_program, &missing, &other].map(|script| script.service.clone());
    let core = Core::new(Resolver::system(), &all_of_them);
    let errors = Mutex::new(Vec::new());
    let note = |attempt: &Attempt<'_>| {
        errors.lock().expect("no panic").extend(attempt.error.map(ToString::to_string));
    };
    let opened = core.upstreams.open(&all_of_them, PATIENCE, &opening("x"), &note).await;
    let Ok(crate::upstream::Taken::Raw(link)) = opened else { panic!("{opened:?}") };
    assert_eq!(link.service(), &other.service);
    assert_eq!(
        *errors.lock().expect("no panic"),
        [
            "not started: the interpreter that its first line names does not exist",
            "not started: exec format error",
            "not started: no such file or directory"
        ]
    );
}

#[tokio::test]
async fn an_argument_that_no_process_can_get_is_refused() {
    let script = sh("exit");
    let services = [script.service];
    let core = Core::new(Resolver::system(), &services);
    let opening = opening_with(b"agi_network: yes\nagi_arg_1: a\0b\n\n");
    core.open_raw(&services, &opening).await.expect_err("refused");
    assert_eq!(core.outcomes()[0], "invalid_argument");
}

#[tokio::test]
async fn a_script_may_be_over_before_it_has_read_anything() {
    let script = sh("exit");
    let opening = Opening { prelude: Arc::new(Prelude::default()), ..opening("x") };
    let mut link = script.open_as(&opening).await;
    assert_eq!(next(&mut link).await, None);
    link.write(b"x");
    poll_fn(|cx| link.poll_flush(cx)).await;
    assert_eq!(link.unsent(), 0);
    link.hang_up();
}

#[test]
fn no_script_outlives_the_bridge() {
    let script = sh("trap '' HUP; sleep 1000 & echo $$ $!; sleep 1000");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (link, process, child) = runtime.block_on(async {
        let mut link = script.open().await;
        let [process, child] = numbers(&mut link).await;
        (link, process, child)
    });
    drop(runtime);
    while is_running(process) || is_running(child) {
        std::thread::yield_now();
    }
    drop(link);
}
