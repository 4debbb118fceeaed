package io.agibridge;

import io.grpc.Status;
import java.util.Optional;

/**
 * A request to the manager failed. That Asterisk itself refused something is an answer, and no
 * exception.
 */
public final class ManagerException extends AgiBridgeException {
  private static final long serialVersionUID = 1L;

  /** What was asked. */
  private final String method;

  /** Why it failed. */
  private final ManagerErrorCode code;

  /** What the bridge says about it. */
  private final String detail;

  /** Of a call that was to be started; null for other requests. */
  private final String requestId;

  private ManagerException(
      String method, ManagerErrorCode code, String detail, String requestId, Throwable cause) {
    super(method + " failed: " + code + ", " + detail + advice(code), cause);
    this.method = method;
    this.code = code;
    this.detail = detail;
    this.requestId = requestId;
  }

  static ManagerException of(String method, Status status, String requestId) {
    return new ManagerException(
        method,
        ManagerErrorCode.valueOf(status.getCode().name()),
        detail(status),
        requestId,
        status.asException());
  }

  /** What breaks on the way has a cause, which says more. */
  private static String detail(Status status) {
    String text = status.getDescription() == null ? "" : status.getDescription();
    Throwable cause = status.getCause();
    return cause == null || cause.getMessage() == null ? text : text + ": " + cause.getMessage();
  }

  /** The same, thrown on another thread. */
  ManagerException again() {
    return new ManagerException(method, code, detail, requestId, this);
  }

  /**
   * Why it failed.
   *
   * @return the code
   */
  public ManagerErrorCode code() {
    return code;
  }

  /**
   * What the bridge says about it.
   *
   * @return for people, in English
   */
  public String detail() {
    return detail;
  }

  /**
   * The id of the call that was to be started: ask again by it to learn what became of it.
   *
   * @return the one that was set, or made; empty for other requests
   */
  public Optional<String> requestId() {
    return Optional.ofNullable(requestId);
  }

  private static String advice(ManagerErrorCode code) {
    return switch (code) {
      case INVALID_ARGUMENT -> "; correct the field that is named";
      case UNAUTHENTICATED ->
          "; give the token of an entry of `api.clients` in the bridge's configuration";
      case PERMISSION_DENIED -> "; have it granted in the bridge's `api.clients`";
      case NOT_FOUND -> "; name a server of the bridge's `managers`";
      case ALREADY_EXISTS -> "; choose another request id for another call";
      case RESOURCE_EXHAUSTED ->
          "; ask for less at a time, or have the limits of `api.clients` raised";
      case FAILED_PRECONDITION -> "; give the bridge's user the class `system` in manager.conf";
      case UNAVAILABLE -> "; see that the bridge runs, and its link to Asterisk with listServers()";
      case UNIMPLEMENTED ->
          "; use the address of a bridge's `api.listen`, of this version or newer";
      case UNKNOWN, DEADLINE_EXCEEDED, CANCELLED -> "; it may have been done";
      case ABORTED, OUT_OF_RANGE, INTERNAL, DATA_LOSS -> "; see the bridge's log";
    };
  }
}
