package io.agibridge;

import io.agibridge.internal.v1.CommandResult;
import java.util.Optional;

/**
 * A result that came before this handler had the call.
 *
 * @param commandId the command's number
 * @param kind its kind in the contract, as {@code digits}, {@code done} or {@code error}; empty for
 *     a newer one
 * @param value what the command's method would have returned; null for those that return nothing,
 *     and for errors
 * @param error what the command's method would have thrown
 */
public record PastResult(
    long commandId, String kind, Object value, Optional<AgiBridgeException> error) {
  static PastResult of(CallMachine machine, CommandResult result) {
    long id = Integer.toUnsignedLong(result.getId());
    var field =
        CommandResult.getDescriptor().findFieldByNumber(result.getOutcomeCase().getNumber());
    String kind = field == null ? "" : field.getJsonName();
    return switch (result.getOutcomeCase()) {
      case ERROR ->
          new PastResult(
              id, kind, null, Optional.of(machine.error("command " + id, result.getError())));
      case OUTCOME_NOT_SET, DONE -> new PastResult(id, kind, null, Optional.empty());
      default -> new PastResult(id, kind, Results.any(result), Optional.empty());
    };
  }
}
