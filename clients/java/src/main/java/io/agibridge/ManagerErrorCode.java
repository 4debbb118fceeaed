package io.agibridge;

/** Why a request to the manager failed; named as gRPC's statuses. */
public enum ManagerErrorCode {
  /** It was given up here; it may have been done. */
  CANCELLED,
  /** An action was sent, and may have been done. */
  UNKNOWN,
  /** Nothing was sent: {@code detail} names the field. */
  INVALID_ARGUMENT,
  /** Not answered in time; it may have been done. */
  DEADLINE_EXCEEDED,
  /** The bridge has no such server. */
  NOT_FOUND,
  /** The request id belongs to another request. */
  ALREADY_EXISTS,
  /** The bridge's {@code api.clients} does not grant it. */
  PERMISSION_DENIED,
  /** Over a limit of this client, or of the link to Asterisk. */
  RESOURCE_EXHAUSTED,
  /** A request id cannot be kept at this Asterisk. */
  FAILED_PRECONDITION,
  /** The bridge gives no such status. */
  ABORTED,
  /** The bridge gives no such status. */
  OUT_OF_RANGE,
  /** What answers is no bridge, or an older one. */
  UNIMPLEMENTED,
  /** A fault of the bridge, or of the connection. */
  INTERNAL,
  /** The bridge, or its link to Asterisk, is not to be had. */
  UNAVAILABLE,
  /** The bridge gives no such status. */
  DATA_LOSS,
  /** The bridge knows nobody by this token or certificate. */
  UNAUTHENTICATED
}
