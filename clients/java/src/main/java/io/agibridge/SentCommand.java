package io.agibridge;

import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Duration;
import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import io.agibridge.internal.v1.Command;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/**
 * A command that a handler sent to a {@link FakeCall}.
 *
 * @param id its number, from 1
 * @param name its name, as its method has it
 * @param arguments what it was given, by the names that its method has for them; strings, numbers,
 *     booleans, lists, {@link java.time.Duration} and {@link java.time.Instant}. What is at the
 *     contract's default is absent
 * @param requiresSuccess whether it was to run only when the one before succeeded
 */
public record SentCommand(
    long id, String name, Map<String, Object> arguments, boolean requiresSuccess) {
  static SentCommand of(Command command) {
    var arguments = new TreeMap<String, Object>();
    FieldDescriptor kind =
        Command.getDescriptor().findFieldByNumber(command.getCommandCase().getNumber());
    if (kind != null) {
      ((Message) command.getField(kind))
          .getAllFields()
          .forEach((field, value) -> arguments.put(field.getJsonName(), java(value)));
    }
    return new SentCommand(
        Integer.toUnsignedLong(command.getId()),
        Protos.name(command),
        Collections.unmodifiableMap(arguments),
        command.getRequiresSuccess());
  }

  /**
   * One of its arguments.
   *
   * @param argument its name
   * @return its value, or null when it is absent
   */
  public Object argument(String argument) {
    return arguments.get(argument);
  }

  private static Object java(Object value) {
    if (value instanceof Duration duration) {
      return Protos.duration(duration);
    } else if (value instanceof Timestamp timestamp) {
      return Protos.instant(timestamp);
    } else if (value instanceof EnumValueDescriptor constant) {
      return constant.getName();
    }
    return value;
  }
}
