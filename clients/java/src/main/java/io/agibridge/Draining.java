package io.agibridge;

import java.time.Instant;

/**
 * The bridge is shutting down, and would like the call to end.
 *
 * @param deadline by when the call should be over; nothing is cut before that
 */
public record Draining(Instant deadline) {}
