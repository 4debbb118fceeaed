package io.agibridge;

import io.agibridge.internal.v1.OriginateResponse;

/**
 * What became of a call that was started.
 *
 * @param outcome what became of it
 * @param channel the name of the channel that was called; empty when it is not known
 * @param uniqueId its id, {@code agi_uniqueid} of an AGI session on it
 * @param detail for people
 * @param requestId the one that was set, or made
 * @param outcomeNumber the number of {@code outcome} in the contract, which also a newer one has
 */
public record Originated(
    OriginateOutcome outcome,
    String channel,
    String uniqueId,
    String detail,
    String requestId,
    int outcomeNumber) {
  static Originated of(OriginateResponse answer, String requestId) {
    int number = answer.getOutcomeValue();
    return new Originated(
        Results.constant(OriginateOutcome.values(), number),
        answer.getChannel(),
        answer.getUniqueId(),
        answer.getDetail(),
        requestId,
        number);
  }
}
