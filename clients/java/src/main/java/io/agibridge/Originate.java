package io.agibridge;

import io.agibridge.internal.v1.ApplicationTarget;
import io.agibridge.internal.v1.DialplanTarget;
import io.agibridge.internal.v1.OriginateRequest;
import java.time.Duration;
import java.util.UUID;

/**
 * A call to be started. Begin with whom to call, and chain the rest, one destination among it;
 * instances never change.
 *
 * <pre>{@code
 * Originate.call("PJSIP/3200").toExtension("internal", "100").ringTimeout(Duration.ofSeconds(20))
 * }</pre>
 */
public final class Originate {
  private final OriginateRequest request;

  private Originate(OriginateRequest.Builder request) {
    this.request = request.build();
  }

  /**
   * Begins a call.
   *
   * @param channel whom to call first, as {@code PJSIP/3200}
   * @return the call, which waits for its outcome
   */
  public static Originate call(String channel) {
    return new Originate(OriginateRequest.newBuilder().setChannel(channel).setWaitForOutcome(true));
  }

  /**
   * Goes to an extension of the dialplan once it is answered, to its first priority.
   *
   * @param context the extension's
   * @param extension its name or number
   * @return the call, with this
   */
  public Originate toExtension(String context, String extension) {
    return toExtension(context, extension, 1);
  }

  /**
   * Goes to an extension of the dialplan once it is answered.
   *
   * @param context the extension's
   * @param extension its name or number
   * @param priority where in it
   * @return the call, with this
   */
  public Originate toExtension(String context, String extension, int priority) {
    return new Originate(
        request.toBuilder()
            .setDialplan(
                DialplanTarget.newBuilder()
                    .setContext(context)
                    .setExtension(extension)
                    .setPriority(priority)));
  }

  /**
   * Runs an application of Asterisk once it is answered.
   *
   * @param application its name
   * @param data its arguments, as the dialplan has them
   * @return the call, with this
   */
  public Originate toApplication(String application, String data) {
    return new Originate(
        request.toBuilder()
            .setApplication(
                ApplicationTarget.newBuilder().setApplication(application).setData(data)));
  }

  /**
   * Goes to a route of the bridge once it is answered, as AGI() would. It needs the context {@code
   * agi-bridge} in the dialplan, as {@code agi-bridge dialplan} prints it.
   *
   * @param path with a query if wanted, as {@code /reminder?lang=en}
   * @return the call, with this
   */
  public Originate toRoute(String path) {
    return new Originate(request.toBuilder().setRoute(path));
  }

  /**
   * Says which Asterisk.
   *
   * @param server one of the bridge's configuration; needed only where there are several
   * @return the call, with this
   */
  public Originate server(String server) {
    return new Originate(request.toBuilder().setServer(server));
  }

  /**
   * Names the request: repeated within an hour it gives the first one's answer.
   *
   * @param requestId at most 128 bytes; one is made for each request unless set
   * @return the call, with this
   */
  public Originate requestId(String requestId) {
    return new Originate(request.toBuilder().setRequestId(requestId));
  }

  /**
   * Sets what is shown to whom is called.
   *
   * @param name may be empty
   * @param number may be empty
   * @return the call, with this
   */
  public Originate callerId(String name, String number) {
    return new Originate(request.toBuilder().setCallerIdName(name).setCallerIdNumber(number));
  }

  /**
   * Sets how long to let it ring.
   *
   * @param ringTimeout 1 s to 600 s; 30 s unless set
   * @return the call, with this
   */
  public Originate ringTimeout(Duration ringTimeout) {
    return new Originate(request.toBuilder().setRingTimeout(Protos.duration(ringTimeout)));
  }

  /**
   * Sets a variable on the channel that is called.
   *
   * @param name with {@code __} in front it is passed on to the channels that it calls
   * @param value arrives as it is
   * @return the call, with this
   */
  public Originate variable(String name, String value) {
    return new Originate(request.toBuilder().putVariables(name, value));
  }

  /**
   * Sets the account code of Asterisk's records.
   *
   * @param accountCode none unless set
   * @return the call, with this
   */
  public Originate accountCode(String accountCode) {
    return new Originate(request.toBuilder().setAccountCode(accountCode));
  }

  /**
   * Goes on as soon as there is sound: ANSWERED then says no more than that.
   *
   * @return the call, with this
   */
  public Originate earlyMedia() {
    return new Originate(request.toBuilder().setEarlyMedia(true));
  }

  /**
   * Permits a codec, besides those permitted before.
   *
   * @param codec as {@code alaw}; Asterisk's own choice unless set
   * @return the call, with this
   */
  public Originate codec(String codec) {
    return new Originate(request.toBuilder().addCodecs(codec));
  }

  /**
   * Returns once Asterisk took the call: ACCEPTED.
   *
   * @return the call, with this
   */
  public Originate dontWait() {
    return new Originate(request.toBuilder().setWaitForOutcome(false));
  }

  /** What to send: it has an id, and one destination. */
  OriginateRequest request() {
    if (request.getDestinationCase() == OriginateRequest.DestinationCase.DESTINATION_NOT_SET) {
      throw new MisuseException(
          "a call that is started needs toExtension, toApplication or toRoute");
    }
    return request.getRequestId().isEmpty()
        ? request.toBuilder().setRequestId(UUID.randomUUID().toString()).build()
        : request;
  }
}
