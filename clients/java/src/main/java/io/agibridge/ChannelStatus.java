package io.agibridge;

/**
 * The state of a channel.
 *
 * @param state the state
 * @param number its number in the contract, which also a newer state has
 */
public record ChannelStatus(ChannelState state, int number) {}
