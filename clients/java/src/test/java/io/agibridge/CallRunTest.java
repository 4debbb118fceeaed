package io.agibridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.agibridge.internal.v1.CallEnded;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How handlers end, and what happens to those that do not. */
@Timeout(60)
class CallRunTest {
  private static final Duration SOON = Duration.ofMillis(50);

  @Test
  void aHandlerThatReturnsEndsTheSession() throws Exception {
    var stream = new FakeStream(call -> {}).start();
    stream.finish();
    assertEquals(Transport.Close.DONE, stream.awaitClosed());
  }

  @Test
  void aHandlerThatThrowsFailsTheStream() throws Exception {
    var stream =
        new FakeStream(
                call -> {
                  throw new IllegalStateException("a fault");
                })
            .start();
    assertEquals(Transport.Close.FAILED, stream.awaitClosed());
    assertTrue(stream.closeDetail.contains("a fault"));
    stream.awaitOver();
    assertEquals("a fault", stream.run.failure().getMessage());
    assertTrue(stream.controls.isEmpty());
  }

  @Test
  void theHangupErrorEndsAHandlerWell() throws Exception {
    var stream =
        new FakeStream(
                call -> {
                  throw new HungUpException("x", "");
                })
            .start();
    stream.finish();
    assertNull(stream.run.failure());
  }

  @Test
  void theNoInputErrorEndsAHandlerWell() throws Exception {
    var stream =
        new FakeStream(
                call -> {
                  throw new NoInputException("x", 3);
                })
            .start();
    stream.finish();
    assertNull(stream.run.failure());
  }

  @Test
  void releaseLetsAnotherInstanceHaveTheCall() throws Exception {
    var error = new CompletableFuture<MisuseException>();
    var stream =
        new FakeStream(
                call -> {
                  call.release("a new version comes");
                  error.complete(assertThrows(MisuseException.class, call::answer));
                })
            .start();
    assertEquals(Transport.Close.RELEASED, stream.awaitClosed());
    assertEquals("a new version comes", stream.closeDetail);
    stream.awaitOver();
    assertTrue(error.get().getMessage().contains("after release"));
    assertNull(stream.run.failure());
  }

  @Test
  void aHandlerThatNeverReturnsIsInterruptedAfterTheGrace() throws Exception {
    var interrupted = new CompletableFuture<Void>();
    var stream =
        new FakeStream(
                call -> {
                  try {
                    new CountDownLatch(1).await();
                  } finally {
                    interrupted.complete(null);
                  }
                })
            .start();
    stream.hangup(SOON);
    FakeStream.await(interrupted);
    stream.finish();
    assertNull(stream.run.failure());
  }

  @Test
  void aHandlerIsInterruptedWhenTheCleanupTimeIsOver() throws Exception {
    var interrupted = new CompletableFuture<Void>();
    var stream =
        new FakeStream(
                call -> {
                  try {
                    new CountDownLatch(1).await();
                  } finally {
                    interrupted.complete(null);
                  }
                },
                SOON)
            .start();
    stream.ended(CallEnded.Reason.REASON_DRAINED);
    FakeStream.await(interrupted);
    stream.awaitOver();
  }

  @Test
  void aHandlerThatIgnoresTheInterruptIsGivenUpAndItsStreamClosed() throws Exception {
    var release = new CountDownLatch(1);
    var stream =
        new FakeStream(
                call -> {
                  boolean waiting = true;
                  while (waiting) {
                    try {
                      release.await();
                      waiting = false;
                    } catch (InterruptedException ignored) {
                      // That is the fault that this is about.
                    }
                  }
                },
                SOON)
            .start();
    stream.hangup(SOON);
    assertEquals(Transport.Close.DONE, stream.awaitClosed());
    FakeStream.await(stream.run.settled);
    assertFalse(stream.run.closed.isDone());
    release.countDown();
    stream.awaitOver();
  }

  @Test
  void aCommandAfterTheHandlerHasReturnedIsMisuse() throws Exception {
    var kept = new CompletableFuture<Call>();
    var stream = new FakeStream(kept::complete).start();
    stream.finish();
    MisuseException error = assertThrows(MisuseException.class, kept.get()::answer);
    assertTrue(error.getMessage().contains("had returned"));
  }

  @Test
  void aCommandOnTheCallOfAnotherHandlerIsMisuse() throws Exception {
    var first = new CompletableFuture<Call>();
    var error = new CompletableFuture<MisuseException>();
    var done = new CountDownLatch(1);
    var one =
        new FakeStream(
                call -> {
                  first.complete(call);
                  done.await();
                })
            .start();
    Call other = FakeStream.await(first);
    var two =
        new FakeStream(call -> error.complete(assertThrows(MisuseException.class, other::answer)))
            .start();
    assertTrue(FakeStream.await(error).getMessage().contains("another handler"));
    two.finish();
    done.countDown();
    one.finish();
  }

  @Test
  void aThreadOfOnesOwnMayUseARunningCall() throws Exception {
    var stream =
        new FakeStream(
                call -> {
                  var mine = CompletableFuture.runAsync(call::answer);
                  FakeStream.await(mine);
                })
            .start();
    stream.command();
    stream.done(1);
    stream.finish();
    assertNull(stream.run.failure());
  }
}
