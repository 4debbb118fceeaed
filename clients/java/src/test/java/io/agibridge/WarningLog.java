package io.agibridge;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

/** What the library warns of, until it is closed. */
final class WarningLog extends Handler implements AutoCloseable {
  private static final Logger LOG = Logger.getLogger("io.agibridge");

  private final List<String> lines = new CopyOnWriteArrayList<>();

  WarningLog() {
    LOG.addHandler(this);
  }

  /** Those with this in them. */
  List<String> with(String part) {
    return lines.stream().filter(line -> line.contains(part)).toList();
  }

  @Override
  public void publish(LogRecord line) {
    if (line.getLevel().equals(Level.WARNING)) {
      lines.add(new SimpleFormatter().formatMessage(line));
    }
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    LOG.removeHandler(this);
  }
}
