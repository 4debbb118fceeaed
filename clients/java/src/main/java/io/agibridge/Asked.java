package io.agibridge;

import java.time.Duration;
import java.util.Optional;

/**
 * How a caller is asked.
 *
 * @param timeout of one try
 * @param tries at least one
 * @param invalid the file that is played after what will not do
 */
record Asked(Duration timeout, int tries, Optional<String> invalid) {
  static final Asked DEFAULT = new Asked(Duration.ofSeconds(5), 3, Optional.empty());

  Asked {
    if (tries < 1) {
      throw new MisuseException("tries must be at least 1, and is " + tries);
    }
  }

  Asked withTimeout(Duration newTimeout) {
    return new Asked(newTimeout, tries, invalid);
  }

  Asked withTries(int newTries) {
    return new Asked(timeout, newTries, invalid);
  }

  Asked withInvalid(String file) {
    return new Asked(timeout, tries, Optional.of(file));
  }
}
