package io.agibridge;

import java.util.Optional;

/**
 * The reply to {@link Call#raw}.
 *
 * @param code 200, 510, 511 or 520
 * @param result what follows {@code result=}, up to the next space
 * @param value what is inside the outer parentheses, if there are any
 * @param text the reply as it came, several lines joined by LF
 */
public record RawReply(int code, String result, Optional<String> value, String text) {}
