package io.agibridge;

/** Your program for a call. */
@FunctionalInterface
public interface CallHandler {
  /**
   * Drives one call. It runs on a thread of its own, and may block as long as the call lasts. When
   * it returns, the session ends and the dialplan goes on.
   *
   * @param call the call
   * @throws Exception anything; other errors than {@link HungUpException} and {@link
   *     NoInputException} are logged, and the call goes to another service or ends as its route
   *     says
   */
  void handle(Call call) throws Exception;
}
