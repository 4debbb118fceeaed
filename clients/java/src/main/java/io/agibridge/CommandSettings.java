package io.agibridge;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.agibridge.internal.v1.Command;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/**
 * What the options of all commands have in common. Never changes: each method gives new options.
 *
 * @param <S> the options' own type
 */
public abstract class CommandSettings<S extends CommandSettings<S>> {
  private static final String REPLY_TIMEOUT = "timeout of the command";
  private static final String REQUIRES_SUCCESS = "requires_success of the command";

  /** By their names in the contract. */
  private final Map<String, Object> fields;

  CommandSettings(Map<String, Object> fields) {
    this.fields = fields;
  }

  abstract S with(Map<String, Object> newFields);

  final S set(String field, Object value) {
    var copy = new HashMap<>(fields);
    copy.put(field, value);
    return with(copy);
  }

  /**
   * Sets how long the bridge waits for the reply. AGI cannot take a command back: after TIMED_OUT
   * the next one still waits until Asterisk has answered.
   *
   * @param replyTimeout counted from when Asterisk gets the command; it fails with TIMED_OUT then
   * @return the options, with this one
   */
  public final S replyTimeout(Duration replyTimeout) {
    return set(REPLY_TIMEOUT, Protos.duration(replyTimeout));
  }

  /**
   * Sets whether the command depends on the one before.
   *
   * @param requiresSuccess whether to skip it (SKIPPED) when the command before failed
   * @return the options, with this one
   */
  public final S requiresSuccess(boolean requiresSuccess) {
    return set(REQUIRES_SUCCESS, requiresSuccess);
  }

  /** Writes what concerns the command as such. */
  final void fillCommand(Command.Builder command) {
    if (fields.get(REPLY_TIMEOUT) instanceof com.google.protobuf.Duration timeout) {
      command.setTimeout(timeout);
    }
    command.setRequiresSuccess(Boolean.TRUE.equals(fields.get(REQUIRES_SUCCESS)));
  }

  /** Writes what concerns this kind of command. */
  final void fill(Message.Builder body) {
    fields.forEach(
        (name, value) -> {
          FieldDescriptor field = body.getDescriptorForType().findFieldByName(name);
          if (field != null) {
            body.setField(field, value);
          }
        });
  }
}
