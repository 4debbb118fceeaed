package io.agibridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import io.agibridge.internal.v1.CallEnded;
import io.agibridge.internal.v1.CallEvent;
import io.agibridge.internal.v1.ChannelStatusResult;
import io.agibridge.internal.v1.Command;
import io.agibridge.internal.v1.CommandError;
import io.agibridge.internal.v1.CommandProgress;
import io.agibridge.internal.v1.CommandResult;
import io.agibridge.internal.v1.DigitsResult;
import io.agibridge.internal.v1.GosubResult;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The call machine: ids, order, results, hangup, resumption, and what a bridge should not send. */
@Timeout(60)
class CallMachineTest {
  private static CallEvent.Builder newerEvent() {
    return CallEvent.newBuilder()
        .setUnknownFields(
            UnknownFieldSet.newBuilder()
                .addField(
                    77,
                    UnknownFieldSet.Field.newBuilder()
                        .addLengthDelimited(ByteString.copyFromUtf8("news"))
                        .build())
                .build());
  }

  @Test
  void commandsAreNumberedFromOneInTheOrderOfTheirMethods() throws Exception {
    var stream =
        new FakeStream(
                call -> {
                  call.answer();
                  call.noop("two");
                })
            .start();
    assertEquals(1, stream.command().getId());
    stream.done(1);
    Command second = stream.command();
    assertEquals(2, second.getId());
    assertEquals("two", second.getNoop().getText());
    stream.done(2);
    stream.finish();
    assertNull(stream.run.failure());
  }

  @Test
  void aBatchWaitsForRoomWhenTheBridgeTakesNoMore() throws Exception {
    var stream =
        new FakeStream(
                call -> {
                  Batch batch = call.independentBatch();
                  batch.noop("1");
                  batch.noop("2");
                  batch.noop("3");
                  batch.run();
                })
            .start(FakeStream.call().setMaxQueuedCommands(2));
    stream.command();
    stream.command();
    assertTrue(stream.controls.isEmpty());
    stream.done(1);
    assertEquals("3", stream.command().getNoop().getText());
    stream.done(2);
    stream.done(3);
    stream.finish();
  }

  @Test
  void nothingIsSentWhileTheBridgeIsBehind() throws Exception {
    var stream = new FakeStream(Call::answer);
    stream.ready = false;
    stream.start();
    // The handler waits, or is about to: either way nothing may come before the bridge is ready.
    assertTrue(stream.controls.isEmpty());
    stream.ready = true;
    stream.run.machine.ready();
    assertTrue(stream.command().hasAnswer());
    stream.done(1);
    stream.finish();
  }

  @Test
  void aBatchIsAChainUnlessItIsIndependent() throws Exception {
    var stream =
        new FakeStream(
                call -> {
                  Batch chain = call.batch();
                  chain.answer();
                  Pending<Playback> second = chain.streamFile("x");
                  chain.run();
                  CommandException skipped = assertThrows(CommandException.class, second::get);
                  assertEquals(ErrorCode.SKIPPED, skipped.code());
                  Batch independent = call.independentBatch();
                  independent.noop();
                  independent.noop();
                  independent.run();
                })
            .start();
    assertFalse(stream.command().getRequiresSuccess());
    assertTrue(stream.command().getRequiresSuccess());
    stream.error(1, CommandError.Code.CODE_FAILED);
    stream.error(2, CommandError.Code.CODE_SKIPPED);
    assertFalse(stream.command().getRequiresSuccess());
    assertFalse(stream.command().getRequiresSuccess());
    stream.done(3);
    stream.done(4);
    stream.finish();
    assertNull(stream.run.failure());
  }

  @Test
  void aResultThatWasNeverAskedForIsPassedOver() throws Exception {
    var stream = new FakeStream(Call::answer).start();
    stream.command();
    stream.done(99);
    stream.done(1);
    stream.finish();
    assertNull(stream.run.failure());
  }

  @Test
  void anEventOfANewerContractIsPassedOver() throws Exception {
    var stream = new FakeStream(Call::answer);
    stream.event(newerEvent());
    stream.start();
    stream.command();
    stream.event(newerEvent());
    stream.done(1);
    stream.finish();
    assertNull(stream.run.failure());
  }

  @Test
  void anEventBeforeStartedClosesTheStreamAndRunsNoHandler() throws Exception {
    var ran = new CompletableFuture<Void>();
    var stream = new FakeStream(call -> ran.complete(null));
    stream.done(1);
    assertEquals(Transport.Close.PROTOCOL_ERROR, stream.awaitClosed());
    stream.start();
    stream.awaitOver();
    assertFalse(ran.isDone());
  }

  @Test
  void unknownNumbersAreKept() throws Exception {
    var status = new CompletableFuture<ChannelStatus>();
    var error = new CompletableFuture<CommandException>();
    var stream =
        new FakeStream(
                call -> {
                  status.complete(call.channelStatus());
                  error.complete(assertThrows(CommandException.class, call::answer));
                })
            .start();
    stream.command();
    stream.result(
        1,
        CommandResult.newBuilder()
            .setChannelStatus(ChannelStatusResult.newBuilder().setStateValue(55)));
    stream.command();
    stream.result(
        2, CommandResult.newBuilder().setError(CommandError.newBuilder().setCodeValue(77)));
    stream.finish();
    assertEquals(new ChannelStatus(ChannelState.UNKNOWN, 55), status.get());
    assertEquals(ErrorCode.UNKNOWN, error.get().code());
    assertEquals("UNKNOWN(77)", error.get().codeName());
    assertTrue(error.get().getMessage().contains("newer version of this library"));
  }

  @Test
  void aResultOfAnotherKindIsAnError() throws Exception {
    var error = new CompletableFuture<CommandException>();
    var stream =
        new FakeStream(
                call ->
                    error.complete(assertThrows(CommandException.class, () -> call.getData("pin"))))
            .start();
    stream.command();
    stream.done(1);
    stream.finish();
    assertEquals(ErrorCode.PROTOCOL_ERROR, error.get().code());
  }

  @Test
  void anUnexpectedEndOfTheStreamLosesTheCall() throws Exception {
    var errors = new ArrayList<AgiBridgeException>();
    var stream =
        new FakeStream(
                call -> {
                  errors.add(assertThrows(CallLostException.class, call::answer));
                  errors.add(assertThrows(CallLostException.class, call::answer));
                })
            .start();
    stream.command();
    stream.run.streamClosed("the wire was cut");
    FakeStream.await(stream.run.closed);
    assertEquals(2, errors.size());
    assertTrue(errors.get(0).getMessage().contains("the wire was cut"));
  }

  @Test
  void anInterruptTakesTheCommandBack() throws Exception {
    var handler = new CompletableFuture<Thread>();
    var caught = new CompletableFuture<AgiBridgeException>();
    var stream =
        new FakeStream(
                call -> {
                  handler.complete(Thread.currentThread());
                  caught.complete(
                      assertThrows(CallInterruptedException.class, () -> call.getData("pin")));
                  assertTrue(Thread.interrupted());
                  call.noop("goes on");
                })
            .start();
    stream.command();
    FakeStream.await(handler).interrupt();
    assertEquals(1, stream.next().getCancel().getId());
    assertEquals("goes on", stream.command().getNoop().getText());
    stream.error(1, CommandError.Code.CODE_CANCELLED);
    stream.done(2);
    stream.finish();
    assertInstanceOf(CallInterruptedException.class, caught.get());
  }

  @Test
  void progressIsToldBeforeTheResult() throws Exception {
    var told = new ArrayList<String>();
    var stream =
        new FakeStream(
                call -> {
                  call.onProgress(told::add);
                  told.add(call.gosub("sub", "s", "1").returnValue());
                })
            .start();
    stream.command();
    stream.event(
        CallEvent.newBuilder()
            .setProgress(CommandProgress.newBuilder().setId(1).setText("100 Trying")));
    stream.event(
        CallEvent.newBuilder().setProgress(CommandProgress.newBuilder().setId(9).setText("no")));
    stream.result(
        1, CommandResult.newBuilder().setGosub(GosubResult.newBuilder().setReturnValue("5")));
    stream.finish();
    assertEquals(List.of("100 Trying", "5"), told);
  }

  @Test
  void aCheckpointAccountsForWhatTheHandlerHasReceived() throws Exception {
    var stream =
        new FakeStream(
                call -> {
                  call.checkpoint(new byte[] {1});
                  call.answer();
                  Batch batch = call.batch();
                  Pending<Void> noop = batch.noop();
                  batch.send();
                  call.checkpoint(new byte[] {2});
                  noop.get();
                  call.checkpoint(new byte[] {3});
                })
            .start();
    assertEquals(0, stream.next().getCheckpoint().getLastResultId());
    stream.command();
    stream.done(1);
    stream.command();
    var second = stream.next().getCheckpoint();
    assertArrayEquals(new byte[] {2}, second.getState().toByteArray());
    assertEquals(1, second.getLastResultId());
    stream.done(2);
    assertEquals(2, stream.next().getCheckpoint().getLastResultId());
    stream.finish();
  }

  @Test
  void aResumedCallGoesOnAboveTheLastIdAndAwaitsWhatRuns() throws Exception {
    var resumed = new CompletableFuture<Resumption>();
    var running = new CompletableFuture<Object>();
    var stream =
        new FakeStream(
            call -> {
              Resumption resumption = call.resumption().orElseThrow();
              resumed.complete(resumption);
              running.complete(resumption.running().orElseThrow().get());
              call.noop();
            });
    var started = FakeStream.call();
    started
        .getResumptionBuilder()
        .setCause(io.agibridge.internal.v1.Resumption.Cause.CAUSE_SERVICE_LOST)
        .setAttempt(1)
        .setCheckpoint(ByteString.copyFromUtf8("state"))
        .setLastCommandId(7)
        .addResults(CommandResult.newBuilder().setId(4).setDigits(DigitsResult.newBuilder()))
        .getRunningBuilder()
        .setId(5)
        .getGetDataBuilder()
        .setFile("pin");
    stream.start(started);
    stream.result(
        5, CommandResult.newBuilder().setDigits(DigitsResult.newBuilder().setDigits("12").build()));
    stream.error(6, CommandError.Code.CODE_CANCELLED);
    stream.error(7, CommandError.Code.CODE_CANCELLED);
    assertEquals(8, stream.command().getId());
    stream.done(8);
    stream.finish();
    assertEquals(new Digits("12", false), running.get());
    assertEquals(Resumption.Cause.SERVICE_LOST, resumed.get().cause());
    assertArrayEquals("state".getBytes("UTF-8"), resumed.get().checkpoint().orElseThrow());
    assertEquals(new Digits("", false), resumed.get().results().get(0).value());
    assertEquals(5, resumed.get().running().orElseThrow().id());
  }

  @Test
  void theHangupIsOneErrorAndAFutureAndDoesNotInterrupt() throws Exception {
    var errors = new ArrayList<AgiBridgeException>();
    var stream =
        new FakeStream(
                call -> {
                  errors.add(assertThrows(HungUpException.class, () -> call.streamFile("x")));
                  assertEquals(Duration.ofSeconds(10), FakeStream.await(call.whenHungUp()).grace());
                  assertTrue(call.isHungUp());
                  assertFalse(Thread.currentThread().isInterrupted());
                  call.setVariable("STORED", "1");
                  errors.add(assertThrows(HungUpException.class, () -> call.noop("late")));
                })
            .start();
    stream.command();
    stream.hangup(Duration.ofSeconds(10));
    stream.error(1, CommandError.Code.CODE_HUNG_UP);
    assertEquals("STORED", stream.command().getSetVariable().getName());
    stream.done(2);
    stream.command();
    stream.error(3, CommandError.Code.CODE_CALL_ENDED);
    stream.finish();
    assertEquals(2, errors.size());
    assertNull(stream.run.failure());
  }

  @Test
  void afterTheEndCommandsFailAtOnce() throws Exception {
    var error = new CompletableFuture<CommandException>();
    var stream =
        new FakeStream(
                call -> {
                  FakeStream.await(call.whenEnded());
                  error.complete(assertThrows(CommandException.class, call::answer));
                })
            .start();
    stream.ended(CallEnded.Reason.REASON_OPERATOR);
    stream.awaitOver();
    assertEquals(ErrorCode.CALL_ENDED, error.get().code());
    assertEquals(Transport.Close.DONE, stream.awaitClosed());
    assertTrue(stream.controls.isEmpty());
  }

  @Test
  void endReturnsWhenTheSessionHasEnded() throws Exception {
    var end = new CompletableFuture<Ended>();
    var stream =
        new FakeStream(call -> end.complete(call.end(End.hangUp().variable("X", "1")))).start();
    var sent = stream.next().getEnd();
    assertTrue(sent.hasHangUp());
    assertEquals("1", sent.getVariablesMap().get("X"));
    assertFalse(end.isDone());
    stream.event(
        CallEvent.newBuilder()
            .setEnded(
                CallEnded.newBuilder()
                    .setReason(CallEnded.Reason.REASON_SERVICE)
                    .setCommands(3)
                    .setDuration(Protos.duration(Duration.ofMillis(1500)))));
    Ended ended = FakeStream.await(end);
    assertEquals(Ended.Reason.SERVICE, ended.reason());
    assertEquals(3, ended.commands());
    assertEquals(Duration.ofMillis(1500), ended.duration());
    stream.awaitOver();
    assertTrue(stream.controls.isEmpty());
  }

  @Test
  void aHandoffReturnsWhenTheCallIsThereAndCommandsAreMisuseThen() throws Exception {
    var error = new CompletableFuture<MisuseException>();
    var stream =
        new FakeStream(
                call -> {
                  call.handoff("sales", "state".getBytes("UTF-8"));
                  error.complete(assertThrows(MisuseException.class, call::answer));
                })
            .start();
    assertEquals("sales", stream.next().getHandoff().getRoute());
    stream.ended(CallEnded.Reason.REASON_HANDOFF);
    stream.awaitOver();
    assertTrue(error.get().getMessage().contains("after handoff"));
    assertNull(stream.run.failure());
  }

  @Test
  void aHandoffThatFailsSaysSo() throws Exception {
    var error = new CompletableFuture<CommandException>();
    var stream =
        new FakeStream(
                call ->
                    error.complete(
                        assertThrows(CommandException.class, () -> call.handoff("nowhere"))))
            .start();
    stream.next();
    stream.ended(CallEnded.Reason.REASON_PROTOCOL_ERROR);
    stream.awaitOver();
    assertEquals(ErrorCode.CALL_ENDED, error.get().code());
  }
}
