package io.agibridge;

import com.google.protobuf.ByteString;
import io.agibridge.internal.v1.CallControl;
import io.agibridge.internal.v1.CallEvent;
import io.agibridge.internal.v1.CallStarted;
import io.agibridge.internal.v1.CancelCommand;
import io.agibridge.internal.v1.Checkpoint;
import io.agibridge.internal.v1.Command;
import io.agibridge.internal.v1.CommandError;
import io.agibridge.internal.v1.CommandProgress;
import io.agibridge.internal.v1.CommandResult;
import io.agibridge.internal.v1.EndCall;
import io.agibridge.internal.v1.Handoff;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * One stream of a call, without its transport: ids, order, waiting results, hangup and end. Events
 * come in by {@link #event}, {@link #ready} and {@link #streamEnded}; controls go out by the {@link
 * Transport}. Threads wait here for what they asked for.
 */
final class CallMachine {
  /** Whoever runs the handler. Called without the machine's lock. */
  interface Observer {
    void started();

    void hungUp(Hangup hangup);

    /** The session is over, or the stream is lost. */
    void over();
  }

  private enum Left {
    NO,
    HANDED_OVER,
    RELEASED,
    RETURNED
  }

  /** The call whose handler runs on this thread. */
  static final ThreadLocal<CallMachine> CURRENT = new ThreadLocal<>();

  private static final System.Logger LOG = System.getLogger("io.agibridge");
  private static final int MESSAGE_MAX = 4 << 20;
  private static final int WINDOW = 32;

  private final Transport transport;
  private final Observer observer;

  /**
   * Held while commands are sent, so that a batch is not torn apart and nobody overtakes who waits
   * for room.
   */
  private final ReentrantLock turn = new ReentrantLock(true);

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final Map<Integer, Slot> unanswered = new HashMap<>();

  private final CompletableFuture<Hangup> hangupSeen = new CompletableFuture<>();
  private final CompletableFuture<Draining> drainingSeen = new CompletableFuture<>();
  private final CompletableFuture<Ended> endedSeen = new CompletableFuture<>();

  private CallStarted started;
  private long window = WINDOW;
  private int lastId;
  private int lastReceived;

  /** Commands of the service before that may still count in the bridge's queue. */
  private long inherited;

  private int lastInherited;
  private Slot running;
  private Hangup hangup;
  private boolean hungUp;
  private Draining draining;
  private Ended ended;
  private String lost;
  private boolean endSent;
  private boolean closed;
  private Left left = Left.NO;
  private Consumer<String> onProgress = text -> {};

  private final PressedDigits digits = new PressedDigits();

  /** How often no command ran any more. */
  private long idles;

  /** How often what was sent was taken back. */
  private long interrupts;

  CallMachine(Transport transport, Observer observer) {
    this.transport = transport;
    this.observer = observer;
  }

  // What the transport tells.

  /** Takes an event. One that is not known, or has no place, is passed over. */
  void event(CallEvent event) {
    Runnable tell = () -> {};
    lock.lock();
    try {
      if (ended != null || lost != null || left == Left.RELEASED) {
        return;
      }
      switch (event.getEventCase()) {
        case STARTED -> tell = started(event.getStarted());
        case HEARTBEAT -> {
          // Where anything waits to be sent, proxies on the way see traffic enough.
          if (started != null && !closed && transport.isReady()) {
            put(CallControl.newBuilder().setHeartbeat(event.getHeartbeat()));
          }
        }
        case EVENT_NOT_SET -> {}
        default -> {
          if (started == null) {
            String why =
                "the bridge sent "
                    + event.getEventCase()
                    + " before `started`; see the bridge's version";
            closeNow(Transport.Close.PROTOCOL_ERROR, why);
            tell = lose(why);
          } else {
            tell = known(event);
          }
        }
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    tell.run();
  }

  private Runnable known(CallEvent event) {
    switch (event.getEventCase()) {
      case PROGRESS -> progress(event.getProgress());
      case RESULT -> result(event.getResult());
      case DIGIT -> digits.add(started.getCallId(), PressedDigit.of(event.getDigit()));
      case HANGUP -> {
        hungUp = true;
        if (hangup == null) {
          Hangup seen = Hangup.of(event.getHangup());
          hangup = seen;
          return () -> {
            observer.hungUp(seen);
            hangupSeen.completeAsync(() -> seen);
          };
        }
      }
      case DRAINING -> {
        Draining seen = new Draining(Protos.instant(event.getDraining().getDeadline()));
        draining = seen;
        return () -> drainingSeen.completeAsync(() -> seen);
      }
      case ENDED -> {
        ended = Ended.of(event.getEnded());
        hungUp |= ended.reason() == Ended.Reason.HANGUP;
        closeNow(Transport.Close.DONE, "");
        return over();
      }
      default -> {}
    }
    return () -> {};
  }

  private Runnable started(CallStarted first) {
    if (started != null) {
      return () -> {};
    }
    started = first;
    if (first.getMaxQueuedCommands() != 0) {
      window = Integer.toUnsignedLong(first.getMaxQueuedCommands());
    }
    if (first.hasResumption()) {
      var resumption = first.getResumption();
      lastId = resumption.getLastCommandId();
      lastInherited = lastId;
      hungUp = resumption.getHungUp();
      resumption.getResultsList().forEach(result -> received(result.getId()));
      if (resumption.hasRunning()) {
        Command command = resumption.getRunning();
        running = new Slot(command.getId(), Protos.name(command));
        unanswered.put(running.id, running);
        long behind = Integer.toUnsignedLong(lastId) - Integer.toUnsignedLong(running.id);
        inherited = Math.max(0, Math.min(behind, window - 2));
      }
    }
    return observer::started;
  }

  private void progress(CommandProgress progress) {
    Slot slot = unanswered.get(progress.getId());
    if (slot != null) {
      slot.note(progress.getText());
    }
  }

  private void result(CommandResult result) {
    hungUp |= result.getHungUp();
    Slot slot = unanswered.remove(result.getId());
    if (slot != null) {
      slot.result = result;
      if (unanswered.isEmpty()) {
        idles++;
      }
    } else {
      LOG.log(
          Level.DEBUG,
          "a result for command {0}, which waits for none, is passed over",
          result.getId());
    }
    if (Integer.compareUnsigned(result.getId(), lastInherited) >= 0) {
      inherited = 0;
    } else if (slot == null && inherited > 0) {
      inherited--;
    }
  }

  /** The bridge takes more again. */
  void ready() {
    lock.lock();
    try {
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** The stream is over; without `ended` before it, the call is lost. */
  void streamEnded(String why) {
    lose(Transport.Close.RELEASED, why);
  }

  /** Gives the call up: the stream ends, and nothing of it is waited for any longer. */
  void lose(Transport.Close how, String why) {
    Runnable tell;
    lock.lock();
    try {
      if (ended != null || lost != null) {
        return;
      }
      closeNow(how, why);
      tell = lose(why);
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    tell.run();
  }

  private Runnable lose(String why) {
    lost = why;
    return over();
  }

  private Runnable over() {
    Ended end = ended;
    return () -> {
      if (end == null) {
        endedSeen.completeExceptionally(new CallLostException(lost));
        hangupSeen.completeExceptionally(new CallLostException(lost));
        drainingSeen.completeExceptionally(new CallLostException(lost));
      } else {
        endedSeen.completeAsync(() -> end);
        hangupSeen.completeExceptionally(callEnded("waiting for the hangup"));
        drainingSeen.completeExceptionally(callEnded("waiting for the drain"));
      }
      observer.over();
    };
  }

  private void closeNow(Transport.Close how, String detail) {
    if (!closed) {
      closed = true;
      transport.close(how, detail);
    }
  }

  private void put(CallControl.Builder control) {
    transport.send(control.build());
  }

  // What the handler's threads ask for.

  /** Throws unless this thread may use the call. */
  private void permit(String what) {
    CallMachine current = CURRENT.get();
    if (current != null && current != this) {
      throw new MisuseException(
          what
              + " was called on the call of another handler; use the Call that this handler was given, and keep no Call in a"
              + " field that handlers share");
    }
    lock.lock();
    try {
      switch (left) {
        case NO -> {}
        case HANDED_OVER ->
            throw new MisuseException(
                what + " was called after handoff; do what must be done before the handoff");
        case RELEASED ->
            throw new MisuseException(
                what + " was called after release; do what must be done before the release");
        case RETURNED ->
            throw new MisuseException(
                what
                    + " was called when the call's handler had returned; finish what uses the call before the handler returns");
      }
    } finally {
      lock.unlock();
    }
  }

  /** Throws once nothing can be sent any more. */
  private void requireOpen(String what) {
    if (lost != null) {
      throw new CallLostException(lost);
    }
    if (ended != null) {
      throw callEnded(what);
    }
  }

  private AgiBridgeException callEnded(String what) {
    return hungUp
        ? new HungUpException(what, "the session has ended")
        : new CommandException(what, ErrorCode.CALL_ENDED, ended.detail());
  }

  /** One after the other, with no other thread's command between. */
  void inOneGo(String what, Runnable commands) {
    try {
      turn.lockInterruptibly();
    } catch (InterruptedException interrupted) {
      throw interrupted(what);
    }
    try {
      commands.run();
    } finally {
      turn.unlock();
    }
  }

  /** Sends a command, when there is room for it. */
  Slot submit(Command.Builder command) {
    String name = Protos.name(command.getCommandCase());
    permit(name);
    Tracing.inject(command);
    long before = locked(() -> interrupts);
    var slot = new Slot[1];
    inOneGo(
        name,
        () ->
            locked(
                name,
                () -> {
                  while (unanswered.size() + inherited >= window || !transport.isReady()) {
                    requireOpen(name);
                    changed.await();
                    if (interrupts != before) {
                      throw new CommandException(
                          name, ErrorCode.CANCELLED, "taken back before it was sent");
                    }
                  }
                  requireOpen(name);
                  CallControl control =
                      CallControl.newBuilder().setCommand(command.setId(lastId + 1)).build();
                  limit(name, control);
                  lastId++;
                  slot[0] = new Slot(lastId, name);
                  unanswered.put(lastId, slot[0]);
                  transport.send(control);
                  return null;
                }));
    return slot[0];
  }

  /** Waits for the result. An interrupt takes the command back. */
  <T> T take(Slot slot, Function<CommandResult, T> decode) {
    CommandResult result = await(slot);
    if (Results.failed(result)) {
      throw error(slot.command, result.getError());
    }
    try {
      return decode.apply(result);
    } catch (Results.UnexpectedResult unexpected) {
      throw new CommandException(slot.command, ErrorCode.PROTOCOL_ERROR, unexpected.getMessage());
    }
  }

  CommandResult await(Slot slot) {
    try {
      while (true) {
        String text;
        Consumer<String> listener;
        lock.lockInterruptibly();
        try {
          while (slot.progress.isEmpty() && slot.result == null) {
            requireOpen(slot.command);
            changed.await();
          }
          text = slot.progress.poll();
          if (text == null) {
            received(slot.id);
            return slot.result;
          }
          listener = onProgress;
        } finally {
          lock.unlock();
        }
        listener.accept(text);
      }
    } catch (InterruptedException interrupted) {
      cancel(slot);
      throw interrupted(slot.command);
    }
  }

  /** Takes the command back, unless its result is there. */
  void cancel(Slot slot) {
    lock.lock();
    try {
      if (slot.result == null && unanswered.containsKey(slot.id) && ended == null && !closed) {
        put(CallControl.newBuilder().setCancel(CancelCommand.newBuilder().setId(slot.id)));
      }
    } finally {
      lock.unlock();
    }
  }

  /** Takes back what is not written to Asterisk yet, and stops what runs there. */
  void interrupt() {
    permit("interrupt");
    lock.lock();
    try {
      interrupts++;
      changed.signalAll();
      if (ended != null || closed) {
        return;
      }
      // The newest first: else the end of one would have the next one written.
      unanswered.values().stream()
          .filter(slot -> !slot.interrupted)
          .sorted((one, other) -> Integer.compareUnsigned(other.id, one.id))
          .forEach(
              slot -> {
                slot.interrupted = true;
                put(
                    CallControl.newBuilder()
                        .setCancel(CancelCommand.newBuilder().setId(slot.id).setInterrupt(true)));
              });
    } finally {
      lock.unlock();
    }
  }

  /** The oldest key, or the next one; null when none came for so long while no command ran. */
  PressedDigit nextDigit(Duration timeout) {
    var pressed = new PressedDigit[1];
    permit("nextDigit");
    locked(
        "nextDigit",
        () -> {
          pressed[0] = awaitDigit(timeout);
          return null;
        });
    return pressed[0];
  }

  private PressedDigit awaitDigit(Duration timeout) throws InterruptedException {
    long since = System.nanoTime();
    long known = idles;
    while (true) {
      permit("nextDigit");
      PressedDigit oldest = digits.poll();
      if (oldest != null) {
        return oldest;
      }
      requireOpen("nextDigit");
      if (hungUp) {
        throw new HungUpException("nextDigit", "no key comes any more");
      }
      if (known != idles) {
        known = idles;
        since = System.nanoTime();
      }
      if (timeout == null || !unanswered.isEmpty()) {
        changed.await();
      } else {
        long left = Protos.nanos(timeout) - (System.nanoTime() - since);
        if (left <= 0) {
          return null;
        }
        changed.awaitNanos(left);
      }
    }
  }

  /** All keys that wait. */
  String takeDigits() {
    permit("takeDigits");
    return locked(digits::takeAll);
  }

  boolean isAnswered(Slot slot) {
    lock.lock();
    try {
      return slot.result != null || lost != null || ended != null;
    } finally {
      lock.unlock();
    }
  }

  AgiBridgeException error(String command, CommandError error) {
    if (Results.hungUp(error)
        || (error.getCode() == CommandError.Code.CODE_CALL_ENDED && isHungUp())) {
      return new HungUpException(command, error.getDetail());
    }
    return new CommandException(command, error.getCodeValue(), error.getDetail());
  }

  void checkpoint(byte[] state) {
    permit("checkpoint");
    locked(
        "checkpoint",
        () -> {
          awaitReady("checkpoint");
          CallControl control =
              CallControl.newBuilder()
                  .setCheckpoint(
                      Checkpoint.newBuilder()
                          .setState(ByteString.copyFrom(state))
                          .setLastResultId(lastReceived))
                  .build();
          limit("checkpoint", control);
          transport.send(control);
          return null;
        });
  }

  /** Ends the session, and waits until it is over. */
  Ended end(EndCall end) {
    permit("end");
    var result = new Ended[1];
    inOneGo(
        "end",
        () ->
            locked(
                "end",
                () -> {
                  if (ended == null) {
                    awaitReady("end");
                    CallControl control = CallControl.newBuilder().setEnd(end).build();
                    limit("end", control);
                    transport.send(control);
                    endSent = true;
                  }
                  result[0] = awaitEnded();
                  return null;
                }));
    return result[0];
  }

  /** Gives the call to another route, and waits until it is there. */
  void handoff(String route, byte[] state) {
    permit("handoff");
    locked(
        "handoff",
        () -> {
          awaitReady("handoff");
          Handoff.Builder handoff = Handoff.newBuilder().setRoute(route);
          if (state != null) {
            handoff.setState(ByteString.copyFrom(state));
          }
          CallControl control = CallControl.newBuilder().setHandoff(handoff).build();
          limit("handoff", control);
          transport.send(control);
          left = Left.HANDED_OVER;
          if (awaitEnded().reason() != Ended.Reason.HANDOFF) {
            throw callEnded("handoff");
          }
          return null;
        });
  }

  /** Lets another instance have the call. */
  void release(String reason) {
    permit("release");
    lock.lock();
    try {
      requireOpen("release");
      left = Left.RELEASED;
    } finally {
      lock.unlock();
    }
    lose(Transport.Close.RELEASED, reason);
  }

  private Ended awaitEnded() throws InterruptedException {
    while (ended == null) {
      requireOpen("end");
      changed.await();
    }
    return ended;
  }

  private void awaitReady(String what) throws InterruptedException {
    while (!transport.isReady()) {
      requireOpen(what);
      changed.await();
    }
    requireOpen(what);
  }

  private interface Step {
    Void run() throws InterruptedException;
  }

  private void locked(String what, Step step) {
    try {
      lock.lockInterruptibly();
      try {
        step.run();
      } finally {
        lock.unlock();
      }
    } catch (InterruptedException interrupted) {
      throw interrupted(what);
    }
  }

  private static CallInterruptedException interrupted(String what) {
    Thread.currentThread().interrupt();
    return new CallInterruptedException(what);
  }

  private static void limit(String what, CallControl control) {
    if (control.getSerializedSize() > MESSAGE_MAX) {
      throw new MisuseException(what + " was given more than a message holds (4 MiB); send less");
    }
  }

  private void received(int id) {
    if (Integer.compareUnsigned(id, lastReceived) > 0) {
      lastReceived = id;
    }
  }

  // What whoever runs the handler asks for.

  /** The handler has returned: tells the bridge, unless all is said. */
  void returned() {
    lock.lock();
    try {
      if (left == Left.NO) {
        left = Left.RETURNED;
      }
      if (!closed && !endSent && left == Left.RETURNED) {
        endSent = true;
        put(CallControl.newBuilder().setEnd(EndCall.getDefaultInstance()));
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /**
   * The handler has failed: the route's `resume_for` and `then` decide what becomes of the call.
   */
  void failed(String why) {
    lock.lock();
    try {
      if (left == Left.NO) {
        left = Left.RETURNED;
      }
    } finally {
      lock.unlock();
    }
    lose(Transport.Close.FAILED, why);
  }

  void onProgress(Consumer<String> listener) {
    lock.lock();
    try {
      onProgress = listener;
    } finally {
      lock.unlock();
    }
  }

  // What is known of the call.

  CallStarted started() {
    return started;
  }

  Slot running() {
    return running;
  }

  boolean isHungUp() {
    return locked(() -> hungUp);
  }

  Hangup hangup() {
    return locked(() -> hangup);
  }

  Draining draining() {
    return locked(() -> draining);
  }

  Ended ended() {
    return locked(() -> ended);
  }

  boolean isReleased() {
    return locked(() -> left == Left.RELEASED);
  }

  CompletableFuture<Hangup> whenHungUp() {
    return hangupSeen.copy();
  }

  CompletableFuture<Draining> whenDraining() {
    return drainingSeen.copy();
  }

  CompletableFuture<Ended> whenEnded() {
    return endedSeen.copy();
  }

  private <T> T locked(java.util.function.Supplier<T> read) {
    lock.lock();
    try {
      return read.get();
    } finally {
      lock.unlock();
    }
  }
}
