package io.agibridge;

import com.google.protobuf.Message;
import io.agibridge.internal.v1.CommandError;
import io.agibridge.internal.v1.CommandResult;
import io.agibridge.internal.v1.PlaybackResult;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Predicate;

/**
 * Reads the bridge's results. A result of another kind than the command's is an error, not a guess.
 */
final class Results {
  private Results() {}

  static Void done(CommandResult result) {
    expect(result, CommandResult::hasDone);
    return null;
  }

  static Playback playback(CommandResult result) {
    expect(result, CommandResult::hasPlayback);
    PlaybackResult playback = result.getPlayback();
    return new Playback(
        present(playback.getDigit()),
        playback.hasEndSamples()
            ? OptionalLong.of(Integer.toUnsignedLong(playback.getEndSamples()))
            : OptionalLong.empty(),
        playback.hasEndMilliseconds()
            ? Optional.of(
                java.time.Duration.ofMillis(Integer.toUnsignedLong(playback.getEndMilliseconds())))
            : Optional.empty());
  }

  static Optional<String> digit(CommandResult result) {
    expect(result, CommandResult::hasDigit);
    return present(result.getDigit().getDigit());
  }

  static Digits digits(CommandResult result) {
    expect(result, CommandResult::hasDigits);
    return new Digits(result.getDigits().getDigits(), result.getDigits().getTimedOut());
  }

  static Optional<String> value(CommandResult result) {
    expect(result, CommandResult::hasValue);
    return result.getValue().hasValue()
        ? Optional.of(result.getValue().getValue())
        : Optional.empty();
  }

  static ChannelStatus channelStatus(CommandResult result) {
    expect(result, CommandResult::hasChannelStatus);
    int number = result.getChannelStatus().getStateValue();
    return new ChannelStatus(constant(ChannelState.values(), number), number);
  }

  static Integer exec(CommandResult result) {
    expect(result, CommandResult::hasExec);
    return result.getExec().getResult();
  }

  static Recording recording(CommandResult result) {
    expect(result, CommandResult::hasRecording);
    var recording = result.getRecording();
    int end = recording.getEndValue();
    return new Recording(
        constant(Recording.End.values(), end),
        present(recording.getDigit()),
        Integer.toUnsignedLong(recording.getEndSamples()),
        end);
  }

  static Optional<String> text(CommandResult result) {
    expect(result, CommandResult::hasText);
    return result.getText().hasText() ? Optional.of(result.getText().getText()) : Optional.empty();
  }

  static Speech speech(CommandResult result) {
    expect(result, CommandResult::hasSpeech);
    var speech = result.getSpeech();
    int end = speech.getEndValue();
    return new Speech(
        constant(Speech.End.values(), end),
        speech.getMatchesList().stream()
            .map(match -> new Speech.Match(match.getScore(), match.getText(), match.getGrammar()))
            .toList(),
        present(speech.getDigit()),
        Integer.toUnsignedLong(speech.getEndSamples()),
        end);
  }

  static Gosub gosub(CommandResult result) {
    expect(result, CommandResult::hasGosub);
    return new Gosub(result.getGosub().getAbnormalExit(), result.getGosub().getReturnValue());
  }

  static RawReply raw(CommandResult result) {
    expect(result, CommandResult::hasRaw);
    var raw = result.getRaw();
    return new RawReply(
        raw.getCode(),
        raw.getResult(),
        raw.hasValue() ? Optional.of(raw.getValue()) : Optional.empty(),
        raw.getText());
  }

  /** The typed result of a command whose kind is known from its result only. */
  static Object any(CommandResult result) {
    return switch (result.getOutcomeCase()) {
      case PLAYBACK -> playback(result);
      case DIGIT -> digit(result);
      case DIGITS -> digits(result);
      case VALUE -> value(result);
      case CHANNEL_STATUS -> channelStatus(result);
      case EXEC -> exec(result);
      case RECORDING -> recording(result);
      case TEXT -> text(result);
      case SPEECH -> speech(result);
      case GOSUB -> gosub(result);
      case RAW -> raw(result);
      case DONE, ERROR -> null;
      case OUTCOME_NOT_SET -> throw new UnexpectedResult(result);
    };
  }

  /** The constant of that number, which is its place; the last one is for numbers not known. */
  static <E extends Enum<E>> E constant(E[] values, int number) {
    int unknown = values.length - 1;
    return values[number >= 0 && number < unknown ? number : unknown];
  }

  static boolean failed(CommandResult result) {
    return result.getOutcomeCase() == CommandResult.OutcomeCase.ERROR;
  }

  static boolean hungUp(CommandError error) {
    return error.getCode() == CommandError.Code.CODE_HUNG_UP;
  }

  private static Optional<String> present(String digit) {
    return digit.isEmpty() ? Optional.empty() : Optional.of(digit);
  }

  private static void expect(CommandResult result, Predicate<CommandResult> kind) {
    if (!kind.test(result)) {
      throw new UnexpectedResult(result);
    }
  }

  /** Tells the call machine that the result is not one of this command. */
  static final class UnexpectedResult extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UnexpectedResult(Message result) {
      super(
          "the bridge answered with a result that does not belong to the command, or that is of a newer contract (a newer"
              + " library would know it): "
              + result.toString().strip());
    }
  }
}
