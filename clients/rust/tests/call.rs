//! What a handler sees of a call, on the fake call.

#![cfg(test)]

use agibridge::{
    Call, Code, Digits, EndReason, Error, HandlerEnd, HangupSource, Outcome,
    fake::{FakeCall, Reply},
    proto::{self, command::Command as Sent, end_call::Next},
    secs,
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Lets a handler hand something out of its call.
#[derive(Clone)]
struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    fn put(&self, it: T) {
        *self.0.lock().unwrap() = Some(it);
    }

    fn take(&self) -> T {
        self.0.lock().unwrap().take().unwrap()
    }
}

#[tokio::test]
async fn a_command_gives_its_typed_result() {
    let seen = Slot::new();
    let put = seen.clone();
    let fake =
        FakeCall::new().reply("GET DATA", Reply::digits("12")).reply("EXEC", Reply::exec(-1));
    let run = fake
        .run(move |call: Call| {
            let put = put.clone();
            async move {
                call.answer().await?;
                let pin = call.get_data("enter-pin").timeout(secs(5)).max_digits(4).await?;
                let dialled = call.exec("Dial").arguments(["PJSIP/1", "20"]).await?;
                let unset = call.get_variable("X").await?;
                put.put((pin, dialled, unset));
                Ok::<_, Error>(())
            }
        })
        .await;
    let (pin, dialled, unset): (Digits, i32, Option<String>) = seen.take();
    assert_eq!((pin.digits.as_str(), pin.timed_out, dialled, unset), ("12", false, -1, None));
    assert_eq!(run.names(), ["ANSWER", "GET DATA", "EXEC", "GET VARIABLE"]);
    assert_eq!(run.commands.iter().map(|it| it.id).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let get_data = proto::GetData {
        file: "enter-pin".to_owned(),
        timeout: Some(prost_types::Duration { seconds: 5, nanos: 0 }),
        max_digits: 4,
    };
    assert!(run.sent().any(|it| *it == Sent::GetData(get_data.clone())));
    assert_eq!((run.handler, run.end), (HandlerEnd::Returned, Some(proto::EndCall::default())));
}

#[tokio::test]
async fn a_failed_command_names_itself_its_code_and_what_to_do() {
    let fake = FakeCall::new()
        .reply("STREAM FILE", Reply::error(Code::Failed, "no such file"))
        .reply("STREAM FILE", Reply::error(Code::Unknown(77), ""));
    fake.run(|call: Call| async move {
        let error = call.stream_file("a").await.unwrap_err();
        assert_eq!(error.code(), Some(Code::Failed));
        assert!(error.to_string().starts_with("STREAM FILE: FAILED: no such file ("), "{error}");
        let error = call.stream_file("b").await.unwrap_err();
        assert_eq!(error.code(), Some(Code::Unknown(77)));
        let text = error.to_string();
        assert!(text.contains("UNKNOWN(77)") && text.contains("newer"), "{text}");
        Ok::<_, Error>(())
    })
    .await;
}

#[tokio::test]
async fn a_result_of_another_kind_is_a_protocol_error() {
    let run = FakeCall::new()
        .reply("ANSWER", Reply::digits("1"))
        .run(|call: Call| async move {
            assert_eq!(call.answer().await.unwrap_err().code(), Some(Code::ProtocolError));
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(run.handler, HandlerEnd::Returned);
}

#[tokio::test]
async fn the_hangup_is_an_error_where_a_live_channel_is_needed() {
    let run = FakeCall::new()
        .hang_up_at("EXEC")
        .run(|call: Call| async move {
            call.exec("Dial").await?;
            assert!(call.hung_up());
            assert_eq!(call.stream_file("a").await, Err(Error::HungUp));
            let hangup = call.wait_hangup().await.unwrap();
            assert_eq!((hangup.source, hangup.grace), (HangupSource::Signal, secs(10)));
            call.get_variable("DIALSTATUS").await?;
            call.database_put("f", "k", "v").await?;
            call.stream_file("b").await?;
            unreachable!("the hangup ends it");
            #[expect(unreachable_code, reason = "it says what the error is")]
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(run.handler, HandlerEnd::Returned);
    assert_eq!(run.end, Some(proto::EndCall::default()));
}

#[tokio::test]
async fn a_hangup_in_a_box_ends_well_too() {
    let run = FakeCall::new()
        .hang_up_after(0)
        .run(|call: Call| async move {
            call.answer().await?;
            Ok::<_, agibridge::BoxError>(())
        })
        .await;
    assert_eq!(run.handler, HandlerEnd::Returned);
}

#[tokio::test(start_paused = true)]
async fn a_handler_is_dropped_after_the_grace_and_not_before() {
    struct Dropped(Arc<Mutex<Option<tokio::time::Instant>>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = Some(tokio::time::Instant::now());
        }
    }
    let dropped = Slot::new();
    let at = dropped.clone();
    let begin = tokio::time::Instant::now();
    let run = FakeCall::new()
        .hang_up_after(0)
        .grace(secs(7))
        .run(move |_| {
            let guard = Dropped(Arc::clone(&at.0));
            async move {
                let _guard = guard;
                std::future::pending::<Result<(), Error>>().await
            }
        })
        .await;
    assert_eq!(run.handler, HandlerEnd::Cancelled);
    let lived = dropped.take() - begin;
    assert!(lived >= secs(7) && lived < Duration::from_millis(7100), "{lived:?}");
}

#[tokio::test(start_paused = true)]
async fn after_the_loss_of_the_stream_there_is_the_cleanup_time() {
    let begin = tokio::time::Instant::now();
    let run = FakeCall::new()
        .lost_after(1)
        .run(|call: Call| async move {
            call.answer().await?;
            let lost = call.stream_file("a").await;
            assert!(matches!(lost, Err(Error::Lost(_))), "{lost:?}");
            std::future::pending::<Result<(), Error>>().await
        })
        .await;
    assert_eq!((run.handler, run.end), (HandlerEnd::Cancelled, None));
    assert!(begin.elapsed() >= secs(10));
}

#[tokio::test]
async fn a_handler_that_fails_or_panics_loses_the_call() {
    let failed = FakeCall::new().run(|_| async { Err::<(), _>("no such customer") }).await;
    assert_eq!(failed.handler, HandlerEnd::Failed("no such customer".to_owned()));
    assert_eq!(failed.end, None);
    let panicked = FakeCall::new()
        .run(|call: Call| async move {
            let number: u32 = call.route().parse().expect("a number");
            call.noop(number.to_string()).await
        })
        .await;
    assert!(matches!(panicked.handler, HandlerEnd::Failed(it) if it.contains("a number")));
}

#[tokio::test]
async fn commands_after_the_end_fail_at_once() {
    FakeCall::new()
        .run(|call: Call| async move {
            let ended = call.end().variable("SCORE", "1/2").hang_up().await?;
            assert_eq!(ended.reason, EndReason::Service);
            let error = call.noop("").await.unwrap_err();
            assert_eq!(error.code(), Some(Code::CallEnded));
            Ok::<_, Error>(())
        })
        .await;
}

#[tokio::test]
async fn the_end_says_how_the_dialplan_goes_on() {
    let run = FakeCall::new()
        .run(|call: Call| async move {
            call.end().goto("agents", "s", 1).variable("A", "b").await.map(drop)
        })
        .await;
    let next = proto::GotoDialplan {
        context: "agents".to_owned(),
        extension: "s".to_owned(),
        priority: 1,
    };
    assert_eq!(run.end.as_ref().and_then(|it| it.next.clone()), Some(Next::GotoDialplan(next)));
    assert_eq!(run.variables()["A"], "b");
}

#[tokio::test]
async fn a_batch_stops_at_the_first_fault() {
    let run = FakeCall::new()
        .reply("STREAM FILE", Reply::error(Code::Failed, ""))
        .run(|call: Call| async move {
            let mut batch = call.batch();
            let answer = batch.add(call.answer());
            let play = batch.add(call.stream_file("x"));
            let digits = batch.add(call.get_data("y"));
            batch.send()?;
            answer.await?;
            assert_eq!(play.await.unwrap_err().code(), Some(Code::Failed));
            assert_eq!(digits.await.unwrap_err().code(), Some(Code::Skipped));
            Ok::<_, Error>(())
        })
        .await;
    let required: Vec<_> = run.commands.iter().map(|it| it.requires_success).collect();
    assert_eq!((run.handler, required), (HandlerEnd::Returned, vec![false, true, true]));
}

#[tokio::test]
async fn an_independent_batch_goes_on() {
    FakeCall::new()
        .reply("STREAM FILE", Reply::error(Code::Failed, ""))
        .run(|call: Call| async move {
            let mut batch = call.independent_batch();
            let play = batch.add(call.stream_file("x"));
            let digits = batch.add(call.get_data("y"));
            batch.send()?;
            assert!(play.await.is_err());
            digits.await?;
            Ok::<_, Error>(())
        })
        .await;
}

#[tokio::test]
async fn a_command_of_a_batch_runs_also_when_nobody_wants_its_result() {
    let run = FakeCall::new()
        .run(|call: Call| async move {
            let mut batch = call.batch();
            drop(batch.add(call.answer()));
            let noop = batch.add(call.noop(""));
            batch.send()?;
            noop.await
        })
        .await;
    assert_eq!((run.names(), run.handler), (vec!["ANSWER", "NOOP"], HandlerEnd::Returned));
}

#[tokio::test]
async fn a_batch_that_is_not_sent_says_so() {
    FakeCall::new()
        .run(|call: Call| async move {
            let mut batch = call.batch();
            let answer = batch.add(call.answer());
            drop(batch);
            let error = answer.await.unwrap_err();
            assert!(matches!(&error, Error::Misuse(it) if it.contains("send")), "{error:?}");
            Ok::<_, Error>(())
        })
        .await;
}

#[tokio::test]
async fn no_more_commands_than_the_bridge_takes_are_unanswered() {
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    let run = FakeCall::new()
        .started(|it| it.max_queued_commands = 2)
        .run(move |call: Call| {
            let seen = Arc::clone(&seen);
            async move {
                let mut batch = call.independent_batch();
                let replies: Vec<_> =
                    (0..50).map(|it| batch.add(call.noop(it.to_string()))).collect();
                batch.send()?;
                for reply in replies {
                    reply.await?;
                    seen.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, Error>(())
            }
        })
        .await;
    assert_eq!((run.commands.len(), most.load(Ordering::Relaxed)), (50, 50));
    let ids: Vec<_> = run.commands.iter().map(|it| it.id).collect();
    assert!(ids.is_sorted());
}

#[tokio::test]
async fn commands_run_in_the_order_of_the_first_poll() {
    let run = FakeCall::new()
        .run(|call: Call| async move {
            let (b, a) = (call.noop("b"), call.noop("a"));
            tokio::try_join!(a.into_future(), b.into_future(), call.noop("c").into_future())?;
            Ok::<_, Error>(())
        })
        .await;
    let texts: Vec<_> = run
        .sent()
        .filter_map(|it| if let Sent::Noop(it) = it { Some(it.text.as_str()) } else { None })
        .collect();
    assert_eq!(texts, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_command_takes_it_back() {
    let run = FakeCall::new()
        .reply("STREAM FILE", Reply::stopped_by('1').takes(secs(3)))
        .run(|call: Call| async move {
            let mut batch = call.independent_batch();
            let play = batch.add(call.stream_file("long"));
            let dropped = batch.add(call.noop("not wanted"));
            batch.send()?;
            tokio::time::sleep(secs(1)).await;
            drop(dropped);
            play.await?;
            call.noop("wanted").await
        })
        .await;
    assert_eq!((run.handler, run.cancelled), (HandlerEnd::Returned, vec![2]));
}

#[tokio::test]
async fn a_command_that_was_not_sent_is_not_sent_when_it_is_dropped() {
    let run = FakeCall::new()
        .started(|it| it.max_queued_commands = 1)
        .reply("STREAM FILE", Reply::stopped_by('1').takes(Duration::from_millis(20)))
        .run(|call: Call| async move {
            let mut batch = call.independent_batch();
            let play = batch.add(call.stream_file("long"));
            let dropped = batch.add(call.noop("not wanted"));
            let skipped = batch.add(call.answer().requires_success(true));
            batch.send()?;
            dropped.cancel();
            assert_eq!(dropped.await.unwrap_err().code(), Some(Code::Cancelled));
            assert_eq!(skipped.await.unwrap_err().code(), Some(Code::Skipped));
            play.await.map(drop)
        })
        .await;
    assert_eq!((run.names(), run.handler), (vec!["STREAM FILE"], HandlerEnd::Returned));
}

#[tokio::test]
async fn progress_is_told_before_the_result() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&told);
    FakeCall::new()
        .reply("GOSUB", Reply::gosub("7").progress("100 Trying"))
        .run(move |call: Call| {
            let seen = Arc::clone(&seen);
            async move {
                let gosub = call.gosub("sub", "s", "1").arguments(["x"]);
                let left =
                    gosub.on_progress(move |it| seen.lock().unwrap().push(it.to_owned())).await?;
                assert_eq!(left.return_value, "7");
                Ok::<_, Error>(())
            }
        })
        .await;
    assert_eq!(*told.lock().unwrap(), ["100 Trying"]);
}

#[tokio::test]
async fn a_callback_that_panics_costs_nothing_but_itself() {
    let run = FakeCall::new()
        .reply("GOSUB", Reply::gosub("7").progress("100 Trying"))
        .run(|call: Call| async move {
            let gosub = call.gosub("sub", "s", "1").on_progress(|_| panic!("of no account"));
            gosub.await.map(drop)
        })
        .await;
    assert_eq!(run.handler, HandlerEnd::Returned);
}

#[tokio::test]
async fn the_call_of_another_handler_is_misuse() {
    let left = Slot::<Call>::new();
    let (put, running) = (left.clone(), Arc::new(tokio::sync::Notify::new()));
    let (found, done) = (Arc::clone(&running), Arc::new(tokio::sync::Notify::new()));
    let end = Arc::clone(&done);
    let first = FakeCall::new().run(move |call: Call| {
        put.put(call.clone());
        let (running, done) = (Arc::clone(&running), Arc::clone(&done));
        async move {
            running.notify_one();
            done.notified().await;
            // A task of its own has no handler, and may use the call while that runs.
            tokio::spawn(call.noop("from a task").into_future()).await??;
            Ok::<_, agibridge::BoxError>(())
        }
    });
    let second = async {
        found.notified().await;
        let other = left.take();
        let after = other.clone();
        let run = FakeCall::new()
            .run(move |_| {
                let other = other.clone();
                async move { other.noop("stolen").await }
            })
            .await;
        end.notify_one();
        (run, after)
    };
    let (first, (second, after)) = tokio::join!(first, second);
    assert!(matches!(second.handler, HandlerEnd::Failed(it) if it.contains("another handler")));
    assert_eq!((first.names(), first.handler), (vec!["NOOP"], HandlerEnd::Returned));
    let error = after.noop("late").await.unwrap_err();
    assert!(matches!(&error, Error::Misuse(it) if it.contains("has returned")), "{error}");
}

#[tokio::test]
async fn a_checkpoint_accounts_for_the_results_that_were_received() {
    let run = FakeCall::new()
        .run(|call: Call| async move {
            call.checkpoint("zero")?;
            call.answer().await?;
            let mut batch = call.independent_batch();
            let (a, b) = (batch.add(call.noop("a")), batch.add(call.noop("b")));
            batch.send()?;
            b.await?;
            // The result of `a` is there, and nobody looked at it.
            call.checkpoint("one")?;
            call.noop("c").await?;
            a.await?;
            call.checkpoint("all")?;
            call.noop("").await
        })
        .await;
    let seen: Vec<_> = run
        .checkpoints
        .iter()
        .map(|it| (String::from_utf8_lossy(&it.state), it.last_result_id))
        .collect();
    assert_eq!(seen, [("zero".into(), Some(0)), ("one".into(), Some(1)), ("all".into(), Some(4))]);
}

#[tokio::test]
async fn a_resumption_goes_on_where_the_handler_before_stopped() {
    let done = proto::CommandResult {
        id: 4,
        outcome: Some(proto::command_result::Outcome::Done(proto::Done {})),
        ..Default::default()
    };
    let run = FakeCall::new()
        .started(|it| {
            it.resumption = Some(proto::Resumption {
                cause: 1,
                attempt: 2,
                checkpoint: Some(b"state".to_vec()),
                results: vec![done.clone()],
                last_command_id: 6,
                ..Default::default()
            });
        })
        .run(|call: Call| async move {
            let before = call.resumption().expect("a resumption");
            assert_eq!(before.checkpoint.as_deref(), Some(&b"state"[..]));
            assert_eq!(before.results[0].outcome, Ok(Outcome::Done));
            assert_eq!((before.attempt, before.cause), (2, agibridge::Cause::ServiceLost));
            call.checkpoint("new")?;
            call.noop("").await
        })
        .await;
    assert_eq!((run.commands[0].id, run.checkpoints[0].last_result_id), (7, Some(4)));
}

#[tokio::test]
async fn a_handoff_leaves_the_call_to_the_other_route() {
    let run = FakeCall::new()
        .run(|call: Call| async move {
            call.handoff("sales", Some(b"state".to_vec())).await?;
            let error = call.noop("").await.unwrap_err();
            assert!(matches!(&error, Error::Misuse(it) if it.contains("handoff")), "{error}");
            Ok::<_, Error>(())
        })
        .await;
    let handoff = run.handoff.expect("a handoff");
    assert_eq!((handoff.route.as_str(), run.end), ("sales", None));
}

#[tokio::test]
async fn a_release_sends_its_checkpoint_first() {
    let run = FakeCall::new()
        .run(|call: Call| async move {
            call.checkpoint("kept")?;
            call.release("no licence left")?;
            assert!(matches!(call.noop("").await, Err(Error::Misuse(_))));
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(run.released.as_deref(), Some("no licence left"));
    assert_eq!((run.checkpoints.len(), run.end), (1, None));
}

#[tokio::test]
async fn draining_is_told() {
    let by = std::time::SystemTime::UNIX_EPOCH + secs(60);
    FakeCall::new()
        .draining(by)
        .run(move |call: Call| async move {
            assert_eq!(call.wait_draining().await, Some(by));
            assert_eq!(call.draining(), Some(by));
            Ok::<_, Error>(())
        })
        .await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_here() {
    FakeCall::new()
        .run(|call: Call| async move {
            let error = call.noop("x".repeat(5 << 20)).await.unwrap_err();
            assert!(matches!(&error, Error::Misuse(it) if it.contains("NOOP")), "{error}");
            Ok::<_, Error>(())
        })
        .await;
}

#[tokio::test]
async fn waiting_for_a_hangup_that_never_comes_ends_with_the_session() {
    let waited = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&waited);
    FakeCall::new()
        .run(move |call: Call| {
            let seen = Arc::clone(&seen);
            async move {
                call.end().await?;
                assert_eq!(call.wait_hangup().await, None);
                seen.store(true, Ordering::Relaxed);
                Ok::<_, Error>(())
            }
        })
        .await;
    assert!(waited.load(Ordering::Relaxed));
}
