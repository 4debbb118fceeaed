package io.agibridge;

import io.agibridge.internal.v1.CallStarted;

/**
 * The channel of a call, as it was when Asterisk connected. What is unknown or absent is empty.
 *
 * @param name as {@code PJSIP/3200-0000001a}
 * @param uniqueId Asterisk's unique id
 * @param type the channel driver, as {@code PJSIP} or {@code Local}
 * @param language as {@code en}
 * @param callerIdNumber the caller's number
 * @param callerIdName the caller's name
 * @param dialedNumber the number that was called
 * @param redirectingNumber the number that redirected the call here
 * @param context where the dialplan was
 * @param extension where the dialplan was
 * @param priority where the dialplan was
 * @param accountCode the account
 * @param asteriskVersion of the Asterisk that has the call
 */
public record Channel(
    String name,
    String uniqueId,
    String type,
    String language,
    String callerIdNumber,
    String callerIdName,
    String dialedNumber,
    String redirectingNumber,
    String context,
    String extension,
    int priority,
    String accountCode,
    String asteriskVersion) {
  static Channel of(CallStarted started) {
    var channel = started.getChannel();
    return new Channel(
        channel.getName(),
        channel.getUniqueId(),
        channel.getType(),
        channel.getLanguage(),
        channel.getCallerIdNumber(),
        channel.getCallerIdName(),
        channel.getDialedNumber(),
        channel.getRedirectingNumber(),
        channel.getContext(),
        channel.getExtension(),
        channel.getPriority(),
        channel.getAccountCode(),
        channel.getAsteriskVersion());
  }
}
