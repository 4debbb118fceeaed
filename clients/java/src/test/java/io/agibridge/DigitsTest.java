package io.agibridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.agibridge.internal.v1.CallEnded;
import io.agibridge.internal.v1.CallEvent;
import io.agibridge.internal.v1.CancelCommand;
import io.agibridge.internal.v1.CommandError;
import io.agibridge.internal.v1.CommandResult;
import io.agibridge.internal.v1.Digit;
import io.agibridge.internal.v1.PlaybackResult;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Keys between commands, and commands that are stopped. */
@Timeout(60)
class DigitsTest {
  private static void press(FakeStream stream, String digits) {
    for (char digit : digits.toCharArray()) {
      stream.event(
          CallEvent.newBuilder()
              .setDigit(
                  Digit.newBuilder()
                      .setDigit(String.valueOf(digit))
                      .setDuration(Protos.duration(Duration.ofMillis(120)))));
    }
  }

  private static CommandResult.Builder played() {
    return CommandResult.newBuilder().setPlayback(PlaybackResult.getDefaultInstance());
  }

  /** Runs a handler on a fake call, which must end well. */
  private static FakeCall.Report driven(FakeCall.Builder fake, CallHandler handler) {
    FakeCall.Report report = fake.run(handler);
    report
        .failure()
        .ifPresent(
            failure -> {
              throw new AssertionError(failure);
            });
    return report;
  }

  @Test
  void keysAreTakenInTheirOrderAndWaitedFor() throws Exception {
    var first = new CompletableFuture<PressedDigit>();
    var stream =
        new FakeStream(
                call -> {
                  first.complete(call.nextDigit());
                  assertEquals("2", call.nextDigit().digit());
                  assertEquals("#", call.nextDigit(Duration.ofMinutes(1)).orElseThrow().digit());
                })
            .start();
    press(stream, "1");
    assertEquals(new PressedDigit("1", Duration.ofMillis(120)), FakeStream.await(first));
    press(stream, "2#");
    stream.finish();
    assertNull(stream.run.failure());
  }

  @Test
  void whatWasTypedAheadIsTakenAtOnceAndOnce() {
    driven(
        FakeCall.builder().press("12").pressAt("answer", "#"),
        call -> {
          call.answer();
          assertEquals("12#", call.takeDigits());
          assertEquals("", call.takeDigits());
          assertEquals(Optional.empty(), call.nextDigit(Duration.ZERO));
        });
  }

  @Test
  void theTimeForAKeyBeginsWhenNothingRunsAnyMore() throws Exception {
    var stream =
        new FakeStream(
                call -> {
                  Batch batch = call.batch();
                  Pending<Playback> prompt = batch.streamFile("menu");
                  batch.send();
                  assertTrue(call.nextDigit(Duration.ZERO).isEmpty());
                  assertTrue(prompt.isDone());
                })
            .start();
    stream.command();
    stream.result(1, played());
    stream.finish();
    assertNull(stream.run.failure());
  }

  @Test
  void aPromptIsStoppedAsSoonAsAKeyComesWhatIsBehindItFirstAndEachOnce() throws Exception {
    var stream =
        new FakeStream(
                call -> {
                  Batch batch = call.independentBatch();
                  Pending<Playback> terms = batch.streamFile("terms");
                  Pending<Playback> more = batch.streamFile("more");
                  batch.send();
                  assertEquals("7", call.nextDigit(Duration.ofSeconds(5)).orElseThrow().digit());
                  call.interrupt();
                  call.interrupt();
                  assertTrue(terms.get().digit().isEmpty());
                  var taken = assertThrows(CommandException.class, more::get);
                  assertEquals(ErrorCode.CANCELLED, taken.code());
                })
            .start();
    stream.command();
    stream.command();
    press(stream, "7");
    for (int id : List.of(2, 1)) {
      assertEquals(
          CancelCommand.newBuilder().setId(id).setInterrupt(true).build(),
          stream.next().getCancel());
    }
    stream.result(1, played());
    stream.error(2, CommandError.Code.CODE_CANCELLED);
    stream.finish();
    assertNull(stream.run.failure());
  }

  @Test
  void interruptTakesBackWhatWaitsForRoom() throws Exception {
    var waits = new CountDownLatch(1);
    var stream =
        new FakeStream(
                call -> {
                  var more = new CompletableFuture<Throwable>();
                  var other =
                      new Thread(
                          () -> {
                            Batch batch = call.batch();
                            batch.streamFile("terms");
                            batch.streamFile("more");
                            waits.countDown();
                            more.complete(assertThrows(CommandException.class, batch::send));
                          });
                  other.start();
                  call.nextDigit();
                  while (other.getState() != Thread.State.WAITING) {
                    Thread.onSpinWait();
                  }
                  call.interrupt();
                  var taken = assertInstanceOf(CommandException.class, FakeStream.await(more));
                  assertEquals(ErrorCode.CANCELLED, taken.code());
                })
            .start(FakeStream.call().setMaxQueuedCommands(1));
    waits.await();
    stream.command();
    press(stream, "1");
    assertEquals(1, stream.next().getCancel().getId());
    stream.result(1, played());
    stream.finish();
    assertNull(stream.run.failure());
  }

  @Test
  void keysBeforeTheHangupAreThereAfterIt() throws Exception {
    var stream =
        new FakeStream(
                call -> {
                  call.whenHungUp().get();
                  assertEquals("1", call.nextDigit().digit());
                  assertThrows(HungUpException.class, () -> call.nextDigit(Duration.ofSeconds(60)));
                  assertEquals("", call.takeDigits());
                })
            .start();
    press(stream, "1");
    stream.hangup(Duration.ofSeconds(10));
    stream.finish();
    assertNull(stream.run.failure());
  }

  @Test
  void whoeverWaitsForAKeyIsToldThatNoneComes() throws Exception {
    var told = new CompletableFuture<Throwable>();
    var ends = new FakeStream(call -> told.complete(failure(call))).start();
    ends.ended(CallEnded.Reason.REASON_SERVICE);
    var ended = assertInstanceOf(CommandException.class, FakeStream.await(told));
    assertEquals(ErrorCode.CALL_ENDED, ended.code());
    ends.awaitOver();

    var lost = new CompletableFuture<Throwable>();
    var breaks = new FakeStream(call -> lost.complete(failure(call))).start();
    breaks.run.streamClosed("a cable was cut");
    assertInstanceOf(CallLostException.class, FakeStream.await(lost));
    breaks.awaitOver();
  }

  private static Throwable failure(Call call) {
    return assertThrows(AgiBridgeException.class, call::nextDigit);
  }

  @Test
  void moreKeysThanAreTakenAreDroppedAndTheFirstOnesKept() {
    driven(
        FakeCall.builder().press("1".repeat(PressedDigits.WAITING_MAX) + "23"),
        call -> assertEquals("1".repeat(PressedDigits.WAITING_MAX), call.takeDigits()));
  }

  @Test
  void anInterruptedThreadLeavesTheKeyToTheNextOne() {
    driven(
        FakeCall.builder().pressAt("noop", "4"),
        call -> {
          Thread.currentThread().interrupt();
          assertThrows(CallInterruptedException.class, call::nextDigit);
          assertTrue(Thread.interrupted());
          call.noop();
          assertEquals("4", call.nextDigit().digit());
        });
  }

  @Test
  void keysAreMisuseAfterAHandoffWhoseStateMayHaveThem() {
    FakeCall.Report report =
        driven(
            FakeCall.builder().press("99"),
            call -> {
              call.handoff("/sales", call.takeDigits().getBytes(StandardCharsets.UTF_8));
              assertThrows(MisuseException.class, call::nextDigit);
              assertThrows(MisuseException.class, call::takeDigits);
              assertThrows(MisuseException.class, call::interrupt);
            });
    assertEquals("/sales", report.nextDetail());
  }

  @Test
  void aFakeCallHoldsCommandsUntilTheyAreStopped() {
    FakeCall.Report report =
        driven(
            FakeCall.builder().hold("recordFile").pressAt("recordFile", "1").hold("exec"),
            call -> {
              Batch batch = call.batch();
              Pending<Recording> recording = batch.recordFile("message", "wav");
              Pending<Playback> behind = batch.streamFile("thanks");
              batch.send();
              assertEquals("1", call.nextDigit().digit());
              call.interrupt();
              assertEquals(Recording.End.DIGIT, recording.get().end());
              assertThrows(CommandException.class, behind::get);
              Batch dial = call.batch();
              Pending<Integer> dialled = dial.exec("Dial", "PJSIP/1");
              dial.send();
              call.interrupt();
              assertTrue(!dialled.isDone());
            });
    assertEquals(List.of("recordFile", "exec"), report.names());
  }
}
