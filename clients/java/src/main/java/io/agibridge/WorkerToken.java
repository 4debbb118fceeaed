package io.agibridge;

import io.grpc.Metadata;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** The token that a worker shows: always the same, or another one each time. */
final class WorkerToken {
  static final WorkerToken NONE = always("");

  private static final long GIVE_S = 10;

  /** What shows it; or, where that is null, why there is none. */
  record Shown(Metadata headers, String missing) {
    static Shown none(String why) {
      return new Shown(null, "there is no token: " + why);
    }
  }

  private final TokenSource source;
  private final boolean isFixed;

  private WorkerToken(TokenSource source, boolean isFixed) {
    this.source = source;
    this.isFixed = isFixed;
  }

  /** Empty: none is shown. */
  static WorkerToken always(String token) {
    Objects.requireNonNull(token, "the token is null: leave it out, or see what should set it");
    return new WorkerToken(() -> token, true);
  }

  static WorkerToken from(TokenSource source) {
    return new WorkerToken(Objects.requireNonNull(source), false);
  }

  static WorkerToken file(Path path) {
    Objects.requireNonNull(path);
    return from(() -> Files.readString(path).strip());
  }

  /** Whether the next one cannot be another. */
  boolean isFixed() {
    return isFixed;
  }

  /** What to show now; at once, if it is always the same. It never fails. */
  CompletableFuture<Shown> show() {
    var shown = new CompletableFuture<Shown>();
    if (isFixed) {
      shown.complete(ask());
      return shown;
    }
    Threads.HANDLERS.execute(() -> shown.complete(ask()));
    var late = Shown.none("its source has not answered for " + GIVE_S + " s");
    return shown.completeOnTimeout(late, GIVE_S, TimeUnit.SECONDS);
  }

  private Shown ask() {
    String token;
    try {
      token = source.token();
    } catch (Exception failed) {
      return Shown.none(failed.toString());
    }
    if (!isFixed) {
      if (token == null || token.isEmpty()) {
        return Shown.none("it is empty");
      }
      if (!token.chars().allMatch(character -> character >= ' ' && character <= '~')) {
        return Shown.none("the token has characters that no header can have");
      }
    }
    return new Shown(Headers.bearer(token), null);
  }
}
