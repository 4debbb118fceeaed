package io.agibridge;

import io.agibridge.internal.v1.SendActionResponse;
import java.util.List;
import java.util.Optional;

/**
 * What Asterisk answered to an action.
 *
 * @param success false where Asterisk refused it
 * @param message what it said about it
 * @param headers of the answer, in order
 * @param events the list that came with the answer
 * @param output the lines that the action {@code Command} gives
 * @param truncated whether the answer was too long, and something of it is missing
 */
public record ActionResponse(
    boolean success,
    String message,
    List<Header> headers,
    List<ManagerEvent> events,
    List<String> output,
    boolean truncated) {
  /**
   * Finds a header of the answer.
   *
   * @param key its name, in any case
   * @return the first value of this key
   */
  public Optional<String> header(String key) {
    return Header.find(headers, key);
  }

  static ActionResponse of(SendActionResponse answer) {
    return new ActionResponse(
        answer.getSuccess(),
        answer.getMessage(),
        Header.all(answer.getHeadersList()),
        answer.getEventsList().stream().map(ManagerEvent::of).toList(),
        List.copyOf(answer.getOutputList()),
        answer.getTruncated());
  }
}
