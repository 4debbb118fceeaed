//! Keys between commands, and commands that are stopped, on the fake call.

#![cfg(test)]

use agibridge::{
    Call, Code, Error, HandlerEnd, PressedDigit,
    fake::{FakeCall, FakeRun, Reply},
    proto::command_result::Outcome,
    secs,
};
use std::time::Duration;

/// A prompt that lasts.
fn long_prompt() -> Reply {
    Reply::from(Outcome::Playback(agibridge::proto::PlaybackResult::default())).takes(secs(60))
}

/// Runs a handler that must end well.
async fn driven<F>(fake: FakeCall, handler: impl Fn(Call) -> F + Send + Sync + 'static) -> FakeRun
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let run = fake.run(handler).await;
    assert!(matches!(run.handler, HandlerEnd::Returned), "{:?}", run.handler);
    run
}

fn code(error: Error) -> Code {
    let Error::Command(error) = error else { panic!("{error}") };
    error.code
}

#[tokio::test(start_paused = true)]
async fn keys_are_taken_in_their_order() {
    let fake = FakeCall::new().press("12").press_at("NOOP", "3#");
    driven(fake, async |call: Call| {
        call.noop("").await?;
        for wanted in "123#".chars() {
            let PressedDigit { digit, duration, .. } = call.next_digit().await?.unwrap();
            assert_eq!((digit, duration), (wanted, Duration::from_millis(100)));
        }
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_typed_ahead_is_taken_at_once_and_once() {
    driven(FakeCall::new().press("12#"), async |call: Call| {
        call.answer().await?;
        assert_eq!((call.take_digits()?.as_str(), call.take_digits()?.as_str()), ("12#", ""));
        assert_eq!(call.next_digit().timeout(Duration::ZERO).await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_time_for_a_key_counts_while_no_command_runs() {
    let fake = FakeCall::new().reply("STREAM FILE", long_prompt());
    driven(fake, async |call: Call| {
        let begun = tokio::time::Instant::now();
        let mut batch = call.batch();
        let _playing = batch.add(call.stream_file("menu"));
        batch.send()?;
        assert_eq!(call.next_digit().timeout(secs(5)).await?, None);
        assert_eq!(begun.elapsed(), secs(65));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_prompt_is_stopped_as_soon_as_a_key_comes_and_what_is_behind_it_first() {
    let fake = FakeCall::new().reply("STREAM FILE", long_prompt()).press_at("STREAM FILE", "7");
    let run = driven(fake, async |call: Call| {
        let mut batch = call.independent_batch();
        let terms = batch.add(call.stream_file("terms"));
        let more = batch.add(call.stream_file("more"));
        batch.send()?;
        assert_eq!(call.next_digit().await?.unwrap().digit, '7');
        call.interrupt()?;
        call.interrupt()?;
        assert_eq!(terms.await?.digit, None);
        assert_eq!(code(more.await.unwrap_err()), Code::Cancelled);
        call.noop("").await
    })
    .await;
    assert_eq!(run.cancelled, [2, 1]);
}

#[tokio::test(start_paused = true)]
async fn interrupt_takes_back_what_waits_for_room() {
    let fake = FakeCall::new()
        .started(|it| it.max_queued_commands = 1)
        .reply("STREAM FILE", long_prompt())
        .press_at("STREAM FILE", "7");
    let run = driven(fake, async |call: Call| {
        let mut batch = call.independent_batch();
        let terms = batch.add(call.stream_file("terms"));
        let more = batch.add(call.stream_file("more"));
        batch.send()?;
        call.next_digit().await?;
        call.interrupt()?;
        assert_eq!(code(more.await.unwrap_err()), Code::Cancelled);
        terms.await.map(drop)
    })
    .await;
    assert_eq!((run.names().len(), run.cancelled), (1, vec![1]));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stopped_goes_on() {
    let fake = FakeCall::new().reply("EXEC", Reply::exec(0).takes(secs(60))).press_at("EXEC", "1");
    driven(fake, async |call: Call| {
        let begun = tokio::time::Instant::now();
        let mut batch = call.batch();
        let dialled = batch.add(call.exec("Dial"));
        batch.send()?;
        call.next_digit().await?;
        call.interrupt()?;
        dialled.await?;
        assert_eq!(begun.elapsed(), secs(60));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn keys_before_the_hangup_are_there_after_it() {
    driven(FakeCall::new().press("1").hang_up_after(0), async |call: Call| {
        call.wait_hangup().await.unwrap();
        assert_eq!(call.next_digit().await?.unwrap().digit, '1');
        assert!(matches!(call.next_digit().timeout(secs(5)).await, Err(Error::HungUp)));
        assert_eq!(call.take_digits()?, "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_key_is_told_that_none_comes() {
    driven(FakeCall::new().hang_up_after(1), async |call: Call| {
        assert!(matches!(waited(&call).await, Err(Error::HungUp)));
        Ok(())
    })
    .await;
    driven(FakeCall::new().lost_after(1), async |call: Call| {
        assert!(matches!(waited(&call).await, Err(Error::Lost(_))));
        Ok(())
    })
    .await;
}

/// What becomes of one who waits for a key while a command runs.
async fn waited(call: &Call) -> Result<Option<PressedDigit>, Error> {
    let (pressed, _) = tokio::join!(call.next_digit().into_future(), call.noop("").into_future());
    pressed
}

#[tokio::test(start_paused = true)]
async fn to_give_up_waiting_for_a_key_leaves_it_to_the_next_one() {
    driven(FakeCall::new().press_at("NOOP", "4"), async |call: Call| {
        let given = tokio::time::timeout(secs(1), call.next_digit().into_future()).await;
        assert!(given.is_err());
        call.noop("").await?;
        assert_eq!(call.next_digit().await?.unwrap().digit, '4');
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn more_keys_than_are_taken_are_dropped_and_the_first_ones_kept() {
    let fake = FakeCall::new().press(&"1".repeat(64)).press("23");
    driven(fake, async |call: Call| {
        call.noop("").await?;
        assert_eq!(call.take_digits()?, "1".repeat(64));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn keys_are_misuse_after_a_handoff_whose_state_may_have_them() {
    let run = driven(FakeCall::new().press("99"), async |call: Call| {
        call.noop("").await?;
        call.handoff("/sales", Some(call.take_digits()?.into_bytes())).await?;
        assert!(matches!(call.next_digit().await, Err(Error::Misuse(_))));
        assert!(matches!(call.take_digits(), Err(Error::Misuse(_))));
        assert!(matches!(call.interrupt(), Err(Error::Misuse(_))));
        Ok(())
    })
    .await;
    assert_eq!(run.handoff.unwrap().state.unwrap(), b"99");
}
