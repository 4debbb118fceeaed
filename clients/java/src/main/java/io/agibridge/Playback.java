package io.agibridge;

import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * How a prompt ended.
 *
 * @param digit the digit that stopped the prompt; empty when it played to its end, or nothing was
 *     pressed
 * @param endSamples where it stopped, in samples of the file; STREAM FILE and GET OPTION
 * @param endTime where it stopped; CONTROL STREAM FILE that did not play to its end
 */
public record Playback(
    Optional<String> digit, OptionalLong endSamples, Optional<Duration> endTime) {}
