package io.agibridge;

/**
 * How a subroutine returned.
 *
 * @param abnormalExit true when the subroutine was left by a jump or a hangup, and not by Return()
 * @param returnValue GOSUB_RETVAL; may be empty
 */
public record Gosub(boolean abnormalExit, String returnValue) {}
