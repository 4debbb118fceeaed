package io.agibridge;

import io.agibridge.internal.v1.CallControl;
import io.agibridge.internal.v1.CallEnded;
import io.agibridge.internal.v1.CallEvent;
import io.agibridge.internal.v1.CancelCommand;
import io.agibridge.internal.v1.Command;
import io.agibridge.internal.v1.Command.CommandCase;
import io.agibridge.internal.v1.CommandProgress;
import io.agibridge.internal.v1.CommandResult;
import io.agibridge.internal.v1.Digit;
import io.agibridge.internal.v1.Hangup;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;

/** The bridge of a {@link FakeCall}: answers each command at once, from the script. */
final class FakeBridge implements Transport {
  private static final Set<CommandCase> DEAD_CHANNEL_PERMITS =
      EnumSet.of(
          CommandCase.NOOP,
          CommandCase.VERBOSE,
          CommandCase.GET_VARIABLE,
          CommandCase.GET_FULL_VARIABLE,
          CommandCase.SET_VARIABLE,
          CommandCase.DATABASE_GET,
          CommandCase.DATABASE_PUT,
          CommandCase.DATABASE_DEL,
          CommandCase.DATABASE_DEL_TREE,
          CommandCase.EXEC,
          CommandCase.ASYNC_AGI_BREAK,
          CommandCase.SPEECH_DESTROY,
          CommandCase.SPEECH_UNLOAD_GRAMMAR);

  /** As long as a thumb takes. */
  private static final Duration HELD = Duration.ofMillis(100);

  final List<SentCommand> commands = new ArrayList<>();
  final List<byte[]> checkpoints = new ArrayList<>();
  final Map<String, String> variables = new HashMap<>();
  CallControl last;
  Close close;
  String closeDetail = "";

  private final FakeCall.Builder script;
  private final Map<String, Queue<CommandResult>> results = new HashMap<>();
  private CallRun run;
  private boolean hungUp;
  private boolean failed;

  /** Behind the command that is held, which is the first. */
  private final ArrayDeque<Command> queue = new ArrayDeque<>();

  private final Map<String, String> pressAt;
  private final Set<String> held;

  FakeBridge(FakeCall.Builder script) {
    this.script = script;
    this.variables.putAll(script.variables);
    this.pressAt = new HashMap<>(script.pressAt);
    this.held = new HashSet<>(script.held);
    script.results.forEach((name, queue) -> results.put(name, new ArrayDeque<>(queue)));
    this.hungUp = script.started.getResumption().getHungUp();
  }

  void start(CallRun started) {
    run = started;
    event(CallEvent.newBuilder().setStarted(script.started));
    run.streamClosed("the fake bridge ended the stream without `ended`");
  }

  /** Runs the handler on the test's thread, once the caller has pressed what comes first. */
  void handle(Runnable handler) {
    press(script.pressed);
    handler.run();
  }

  @Override
  public boolean isReady() {
    return true;
  }

  @Override
  public void send(CallControl control) {
    switch (control.getControlCase()) {
      case COMMAND -> {
        queue.add(control.getCommand());
        if (queue.size() == 1) {
          runQueue();
        }
      }
      case CHECKPOINT -> checkpoints.add(control.getCheckpoint().getState().toByteArray());
      case END -> {
        last = control;
        variables.putAll(control.getEnd().getVariablesMap());
        ended(hungUp ? CallEnded.Reason.REASON_HANGUP : CallEnded.Reason.REASON_SERVICE);
      }
      case HANDOFF -> {
        last = control;
        ended(CallEnded.Reason.REASON_HANDOFF);
      }
      case CANCEL -> cancel(control.getCancel());
      case HEARTBEAT, CONTROL_NOT_SET -> {}
    }
  }

  @Override
  public void close(Close how, String detail) {
    close = how;
    closeDetail = detail;
  }

  /** Runs what need not wait for a command that is held. */
  private void runQueue() {
    while (!queue.isEmpty()) {
      Command command = queue.element();
      SentCommand sent = SentCommand.of(command);
      commands.add(sent);
      Optional.ofNullable(pressAt.remove(sent.name())).ifPresent(this::press);
      if (held.remove(sent.name()) && !hungUp) {
        return;
      }
      command(command, sent, FakeResults.success(command.getCommandCase()));
      queue.remove();
    }
  }

  /** Stops the command that is held, or takes back one behind it. */
  private void cancel(CancelCommand cancel) {
    Command running = queue.peek();
    if (running == null) {
      return;
    }
    if (running.getId() != cancel.getId()) {
      if (queue.removeIf(command -> command.getId() == cancel.getId())) {
        var result = FakeResults.error(ErrorCode.CANCELLED, "taken back before it was written");
        event(CallEvent.newBuilder().setResult(result.setId(cancel.getId())));
      }
      return;
    }
    Optional<CommandResult.Builder> stopped = FakeResults.stopped(running.getCommandCase());
    if (cancel.getInterrupt() && stopped.isPresent()) {
      command(running, SentCommand.of(running), stopped.get());
      queue.remove();
      runQueue();
    }
  }

  private void press(String digits) {
    digits
        .codePoints()
        .mapToObj(Character::toString)
        .forEach(
            digit ->
                event(
                    CallEvent.newBuilder()
                        .setDigit(
                            Digit.newBuilder()
                                .setDigit(digit)
                                .setDuration(Protos.duration(HELD)))));
  }

  private void command(Command command, SentCommand sent, CommandResult.Builder unscripted) {
    if (sent.name().equals(script.loseAt)) {
      run.streamClosed("the script lost the stream");
      return;
    }
    boolean hangsUpNow =
        !hungUp && (sent.name().equals(script.hangUpAt) || commands.size() > script.hangUpAfter);
    if (hangsUpNow) {
      hangUp();
    }
    for (String text : script.progress.getOrDefault(sent.name(), List.of())) {
      event(
          CallEvent.newBuilder()
              .setProgress(CommandProgress.newBuilder().setId(command.getId()).setText(text)));
    }
    CommandResult.Builder result = result(command, sent, unscripted);
    failed = result.hasError();
    event(CallEvent.newBuilder().setResult(result.setId(command.getId()).setHungUp(hungUp)));
    if (!hungUp && command.hasHangUp() && command.getHangUp().getChannel().isEmpty()) {
      hangUp();
    }
  }

  private CommandResult.Builder result(
      Command command, SentCommand sent, CommandResult.Builder unscripted) {
    CommandCase kind = command.getCommandCase();
    if (command.getRequiresSuccess() && failed) {
      return FakeResults.error(ErrorCode.SKIPPED, "the command before it failed");
    }
    if (hungUp && !DEAD_CHANNEL_PERMITS.contains(kind)) {
      return FakeResults.error(ErrorCode.HUNG_UP, "");
    }
    Queue<CommandResult> scripted = results.get(sent.name());
    if (scripted != null && !scripted.isEmpty()) {
      return scripted.remove().toBuilder();
    }
    if (command.hasSetVariable()) {
      variables.put(command.getSetVariable().getName(), command.getSetVariable().getValue());
    } else if (command.hasGetVariable()) {
      return FakeResults.of(
          kind, Optional.ofNullable(variables.get(command.getGetVariable().getName())));
    } else if (command.hasExec() && hungUp) {
      return FakeResults.of(kind, -1);
    }
    return unscripted;
  }

  private void hangUp() {
    hungUp = true;
    event(
        CallEvent.newBuilder()
            .setHangup(
                Hangup.newBuilder()
                    .setSource(Hangup.Source.SOURCE_SIGNAL)
                    .setGrace(Protos.duration(script.grace))));
  }

  private void ended(CallEnded.Reason reason) {
    event(
        CallEvent.newBuilder()
            .setEnded(CallEnded.newBuilder().setReason(reason).setCommands(commands.size())));
  }

  private void event(CallEvent.Builder event) {
    run.machine.event(event.build());
  }
}
