package io.agibridge;

/**
 * What the caller entered at GET DATA.
 *
 * @param digits as pressed, leading zeros kept, without the {@code #} that ended them; may be empty
 * @param timedOut true when the time ran out before {@code #} or the last digit
 */
public record Digits(String digits, boolean timedOut) {}
