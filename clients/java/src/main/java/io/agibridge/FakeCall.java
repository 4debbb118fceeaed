package io.agibridge;

import com.google.protobuf.ByteString;
import io.agibridge.internal.v1.CallStarted;
import io.agibridge.internal.v1.Command.CommandCase;
import io.agibridge.internal.v1.CommandResult;
import io.agibridge.internal.v1.EndCall;
import io.agibridge.internal.v1.QueryParameter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Runs a handler without network, for its unit tests. Commands succeed unless the script says
 * otherwise. It is the library's own call with the stream in memory, so order, hangup and errors
 * are the real ones.
 *
 * <pre>{@code
 * FakeCall.Report report =
 *     FakeCall.builder()
 *         .callerIdNumber("3200")
 *         .result("getData", "1234")
 *         .hangUpAt("streamFile")
 *         .run(MyService::handle);
 * assertEquals("1234", report.variables().get("PIN"));
 * }</pre>
 */
public final class FakeCall {
  private FakeCall() {}

  /**
   * Begins the script of a call.
   *
   * @return a new call, in which all is well and the caller does nothing
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * What the handler did.
   *
   * @param commands what it sent, in order
   * @param checkpoints what it had kept, in order
   * @param variables the channel's variables at the end
   * @param ended how the session ended; empty when the stream was lost, or the handler failed or
   *     released the call
   * @param next where the call goes on: {@code continueDialplan}, {@code failDialplan}, {@code
   *     gotoDialplan}, {@code hangUp}, {@code handoff}, or {@code lost}
   * @param nextDetail the reason of a failure, {@code context,extension,priority}, the route of a
   *     handoff, or why it was lost
   * @param failure what the handler threw, unless it is what ends a call well
   */
  public record Report(
      List<SentCommand> commands,
      List<byte[]> checkpoints,
      Map<String, String> variables,
      Optional<Ended> ended,
      String next,
      String nextDetail,
      Optional<Throwable> failure) {
    /**
     * The names of the commands, in order.
     *
     * @return as their methods have them
     */
    public List<String> names() {
      return commands.stream().map(SentCommand::name).toList();
    }
  }

  /** The script of a call. Used by one thread. */
  public static final class Builder {
    final CallStarted.Builder started =
        CallStarted.newBuilder()
            .setCallId("00000000-0000-7000-8000-000000000000")
            .setRoute("test")
            .setMaxQueuedCommands(32);

    final Map<String, List<CommandResult>> results = new HashMap<>();
    final Map<String, List<String>> progress = new HashMap<>();
    final Map<String, String> variables = new LinkedHashMap<>();
    String hangUpAt;
    int hangUpAfter = Integer.MAX_VALUE;
    String loseAt;
    String pressed = "";
    final Map<String, String> pressAt = new HashMap<>();
    final java.util.Set<String> held = new java.util.HashSet<>();
    Duration grace = Duration.ofSeconds(10);

    private Builder() {
      started.getChannelBuilder().setName("Fake/call-00000001").setUniqueId("1.1");
    }

    /**
     * Sets the route.
     *
     * @param route its name; {@code test} unless set
     * @return this script
     */
    public Builder route(String route) {
      started.setRoute(route);
      return this;
    }

    /**
     * Sets the caller's number.
     *
     * @param number empty unless set
     * @return this script
     */
    public Builder callerIdNumber(String number) {
      started.getChannelBuilder().setCallerIdNumber(number);
      return this;
    }

    /**
     * Sets the caller's name.
     *
     * @param name empty unless set
     * @return this script
     */
    public Builder callerIdName(String name) {
      started.getChannelBuilder().setCallerIdName(name);
      return this;
    }

    /**
     * Sets the channel's unique id.
     *
     * @param uniqueId {@code 1.1} unless set
     * @return this script
     */
    public Builder uniqueId(String uniqueId) {
      started.getChannelBuilder().setUniqueId(uniqueId);
      return this;
    }

    /**
     * Adds a parameter of the route's path.
     *
     * @param name its name
     * @param value its value
     * @return this script
     */
    public Builder pathParameter(String name, String value) {
      started.putPathParameters(name, value);
      return this;
    }

    /**
     * Adds a parameter of the query.
     *
     * @param name its name
     * @param value its value
     * @return this script
     */
    public Builder queryParameter(String name, String value) {
      started.addQueryParameters(QueryParameter.newBuilder().setKey(name).setValue(value));
      return this;
    }

    /**
     * Adds an argument of AGI().
     *
     * @param argument the argument
     * @return this script
     */
    public Builder argument(String argument) {
      started.addArguments(argument);
      return this;
    }

    /**
     * Adds a line of the environment.
     *
     * @param name its whole name, as {@code agi_network}
     * @param value its value
     * @return this script
     */
    public Builder environment(String name, String value) {
      started.putEnvironment(name, value);
      return this;
    }

    /**
     * Sets a variable of the channel, which {@code getVariable} reads and {@code setVariable}
     * changes.
     *
     * @param name its name
     * @param value its value
     * @return this script
     */
    public Builder variable(String name, String value) {
      variables.put(name, value);
      return this;
    }

    /**
     * Makes it a call that another handler had.
     *
     * @param cause why it is here
     * @param checkpoint what that handler had kept, or handed over
     * @param lastCommandId the highest number of its commands
     * @return this script
     */
    public Builder resumption(Resumption.Cause cause, byte[] checkpoint, int lastCommandId) {
      started
          .getResumptionBuilder()
          .setCause(io.agibridge.internal.v1.Resumption.Cause.valueOf("CAUSE_" + cause.name()))
          .setAttempt(1)
          .setCheckpoint(ByteString.copyFrom(checkpoint))
          .setLastCommandId(lastCommandId);
      return this;
    }

    /**
     * Adds the result of a command. The first one is for the first command of that name, and so on;
     * further ones succeed.
     *
     * @param command its name, as its method has it
     * @param value what the method returns; or a string for digits, a value or a text
     * @return this script
     * @throws IllegalArgumentException there is no such command
     */
    public Builder result(String command, Object value) {
      return add(command, FakeResults.of(kind(command), value));
    }

    /**
     * Adds a failure of a command, in the row of its results.
     *
     * @param command its name, as its method has it
     * @param code why it fails
     * @param detail what Asterisk says about it
     * @return this script
     * @throws IllegalArgumentException there is no such command
     */
    public Builder failure(String command, ErrorCode code, String detail) {
      kind(command);
      return add(command, FakeResults.error(code, detail));
    }

    /**
     * Adds what is reported before the result of each command of that name.
     *
     * @param command its name, as {@code gosub}
     * @param text what {@link Call#onProgress} is told
     * @return this script
     * @throws IllegalArgumentException there is no such command
     */
    public Builder progress(String command, String text) {
      kind(command);
      progress.computeIfAbsent(command, name -> new ArrayList<>()).add(text);
      return this;
    }

    /**
     * Has the caller hang up while the first command of that name runs.
     *
     * @param command its name, as its method has it
     * @return this script
     * @throws IllegalArgumentException there is no such command
     */
    public Builder hangUpAt(String command) {
      kind(command);
      hangUpAt = command;
      return this;
    }

    /**
     * Has the caller hang up when so many commands were answered: the next one finds the caller
     * gone.
     *
     * @param commands how many
     * @return this script
     */
    public Builder hangUpAfter(int commands) {
      hangUpAfter = commands;
      return this;
    }

    /**
     * Has the caller press keys as the call begins. They come by {@link Call#nextDigit()} and
     * {@link Call#takeDigits()}; what a command gives is said by {@link #result}.
     *
     * @param digits the keys: 0-9, *, # and A-D
     * @return this script
     */
    public Builder press(String digits) {
      pressed += digits;
      return this;
    }

    /**
     * Has the caller press keys while the first command of that name runs.
     *
     * @param command its name, as its method has it
     * @param digits the keys: 0-9, *, # and A-D
     * @return this script
     * @throws IllegalArgumentException there is no such command
     */
    public Builder pressAt(String command, String digits) {
      kind(command);
      pressAt.put(command, digits);
      return this;
    }

    /**
     * Has the first command of that name run until {@link Call#interrupt} stops it; its result is
     * then the scripted one, if there is one. A command that no bridge can stop, as {@code exec},
     * runs until the session's end. Send it in a {@link Batch}: its method would not return.
     *
     * @param command its name, as its method has it
     * @return this script
     * @throws IllegalArgumentException there is no such command
     */
    public Builder hold(String command) {
      kind(command);
      held.add(command);
      return this;
    }

    /**
     * Sets how long the handler may go on after the hangup; then it is interrupted.
     *
     * @param grace 10 s unless set
     * @return this script
     */
    public Builder grace(Duration grace) {
      this.grace = grace;
      return this;
    }

    /**
     * Has the stream break at the first command of that name.
     *
     * @param command its name, as its method has it
     * @return this script
     * @throws IllegalArgumentException there is no such command
     */
    public Builder loseAt(String command) {
      kind(command);
      loseAt = command;
      return this;
    }

    /**
     * Runs a handler on this thread, to its end.
     *
     * @param handler the handler
     * @return what it did; its exceptions are in there
     */
    public Report run(CallHandler handler) {
      var bridge = new FakeBridge(this);
      var run =
          new CallRun(handler, bridge::handle, Duration.ofSeconds(10), Map.of(), ignored -> bridge);
      bridge.start(run);
      var next = new Next(bridge);
      return new Report(
          List.copyOf(bridge.commands),
          List.copyOf(bridge.checkpoints),
          Map.copyOf(bridge.variables),
          Optional.ofNullable(run.machine.ended()),
          next.name(),
          next.detail(),
          Optional.ofNullable(run.failure()));
    }

    private Builder add(String command, CommandResult.Builder result) {
      results.computeIfAbsent(command, name -> new ArrayList<>()).add(result.build());
      return this;
    }

    private static CommandCase kind(String command) {
      for (CommandCase kind : CommandCase.values()) {
        if (kind != CommandCase.COMMAND_NOT_SET && Protos.name(kind).equals(command)) {
          return kind;
        }
      }
      throw new IllegalArgumentException(
          "there is no command " + command + "; use its method's name, as getData");
    }
  }

  private record Next(String name, String detail) {
    Next(FakeBridge bridge) {
      this(name(bridge), detail(bridge));
    }

    private static String name(FakeBridge bridge) {
      if (bridge.last == null) {
        return "lost";
      }
      return switch (bridge.last.getEnd().getNextCase()) {
        case CONTINUE_DIALPLAN, NEXT_NOT_SET ->
            bridge.last.hasHandoff() ? "handoff" : "continueDialplan";
        case FAIL_DIALPLAN -> "failDialplan";
        case GOTO_DIALPLAN -> "gotoDialplan";
        case HANG_UP -> "hangUp";
      };
    }

    private static String detail(FakeBridge bridge) {
      if (bridge.last == null) {
        return bridge.closeDetail;
      }
      if (bridge.last.hasHandoff()) {
        return bridge.last.getHandoff().getRoute();
      }
      EndCall end = bridge.last.getEnd();
      return switch (end.getNextCase()) {
        case FAIL_DIALPLAN -> end.getFailDialplan().getReason();
        case GOTO_DIALPLAN ->
            end.getGotoDialplan().getContext()
                + ","
                + end.getGotoDialplan().getExtension()
                + ","
                + end.getGotoDialplan().getPriority();
        case CONTINUE_DIALPLAN, HANG_UP, NEXT_NOT_SET -> "";
      };
    }
  }
}
