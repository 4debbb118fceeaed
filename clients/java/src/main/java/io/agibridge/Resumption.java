package io.agibridge;

import java.util.List;
import java.util.Optional;

/**
 * What a handler needs to carry on with a call that another one had. What is in {@code results} is
 * done, what is {@code running} is being done; what is in neither, nor in your checkpoint, was not
 * done, unless {@code resultsTruncated}.
 *
 * @param cause why the call is here
 * @param attempt 1 for the first time; handoffs count too
 * @param checkpoint the state of the last checkpoint, or of the handoff
 * @param results the results since then, oldest first
 * @param resultsTruncated true when older results were dropped
 * @param hungUp true when the caller is gone already
 * @param lastCommandId the highest number of a command so far; this library goes on above it
 * @param running the command that is at Asterisk now; its result is what its method would have
 *     returned
 * @param causeNumber the number of {@code cause} in the contract, which also a newer one has
 */
public record Resumption(
    Cause cause,
    int attempt,
    Optional<byte[]> checkpoint,
    List<PastResult> results,
    boolean resultsTruncated,
    boolean hungUp,
    long lastCommandId,
    Optional<Pending<Object>> running,
    int causeNumber) {
  /** Why a call is resumed. */
  public enum Cause {
    /** The bridge did not say. */
    UNSPECIFIED,
    /** The service before was lost. */
    SERVICE_LOST,
    /** A service handed the call over. */
    HANDOFF,
    /** One that this version of the library does not know. */
    UNKNOWN
  }

  static Resumption of(CallMachine machine, io.agibridge.internal.v1.Resumption resumption) {
    return new Resumption(
        Results.constant(Cause.values(), resumption.getCauseValue()),
        resumption.getAttempt(),
        resumption.hasCheckpoint()
            ? Optional.of(resumption.getCheckpoint().toByteArray())
            : Optional.empty(),
        resumption.getResultsList().stream().map(result -> PastResult.of(machine, result)).toList(),
        resumption.getResultsTruncated(),
        resumption.getHungUp(),
        Integer.toUnsignedLong(resumption.getLastCommandId()),
        Optional.ofNullable(machine.running())
            .map(slot -> new Pending<>(machine, slot.command, Results::any).sent(slot)),
        resumption.getCauseValue());
  }
}
