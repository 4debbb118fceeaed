package io.agibridge;

import io.agibridge.internal.v1.Command;
import io.agibridge.internal.v1.CommandResult;
import java.util.function.Function;

/**
 * A command that is not sent yet, and how to read its result.
 *
 * @param command all but its id
 * @param decode makes the typed result; throws when the result is of another kind
 * @param <T> the typed result
 */
record Spec<T>(Command.Builder command, Function<CommandResult, T> decode) {
  static <T> Spec<T> of(
      Object options, Command.Builder command, Function<CommandResult, T> decode) {
    ((CommandSettings<?>) options).fillCommand(command);
    return new Spec<>(command, decode);
  }
}
