package io.agibridge;

import io.agibridge.internal.v1.ChannelStatusResult;
import io.agibridge.internal.v1.Command.CommandCase;
import io.agibridge.internal.v1.CommandError;
import io.agibridge.internal.v1.CommandResult;
import io.agibridge.internal.v1.DigitResult;
import io.agibridge.internal.v1.DigitsResult;
import io.agibridge.internal.v1.Done;
import io.agibridge.internal.v1.ExecResult;
import io.agibridge.internal.v1.GosubResult;
import io.agibridge.internal.v1.PlaybackResult;
import io.agibridge.internal.v1.RecordingResult;
import io.agibridge.internal.v1.SpeechResult;
import io.agibridge.internal.v1.TextResult;
import io.agibridge.internal.v1.ValueResult;
import java.util.Optional;

/** The results of a fake call, as a bridge would send them. */
final class FakeResults {
  private FakeResults() {}

  static CommandResult.Builder error(ErrorCode code, String detail) {
    return CommandResult.newBuilder()
        .setError(CommandError.newBuilder().setCodeValue(code.number()).setDetail(detail));
  }

  /** What Asterisk answers when all is well, and the caller does nothing. */
  static CommandResult.Builder success(CommandCase command) {
    return switch (command) {
      case EXEC -> of(command, 0);
      case CHANNEL_STATUS -> of(command, ChannelState.UP);
      case RECORD_FILE ->
          of(
              command,
              new Recording(
                  Recording.End.TIMEOUT,
                  Optional.empty(),
                  0,
                  RecordingResult.End.END_TIMEOUT_VALUE));
      case GOSUB -> of(command, new Gosub(false, ""));
      case RAW -> of(command, new RawReply(200, "0", Optional.empty(), "200 result=0"));
      case SPEECH_RECOGNIZE ->
          of(
              command,
              new Speech(
                  Speech.End.TIMEOUT,
                  java.util.List.of(),
                  Optional.empty(),
                  0,
                  SpeechResult.End.END_TIMEOUT_VALUE));
      default -> of(command, Optional.empty());
    };
  }

  /** What a command gives that was stopped; empty for one that no bridge can stop. */
  static Optional<CommandResult.Builder> stopped(CommandCase command) {
    return switch (command) {
      case GET_DATA -> Optional.of(of(command, new Digits("", false)));
      case RECORD_FILE ->
          Optional.of(
              of(
                  command,
                  new Recording(
                      Recording.End.DIGIT,
                      Optional.empty(),
                      0,
                      RecordingResult.End.END_DIGIT_VALUE)));
      case STREAM_FILE,
          CONTROL_STREAM_FILE,
          GET_OPTION,
          WAIT_FOR_DIGIT,
          SAY_ALPHA,
          SAY_DATE,
          SAY_DATE_TIME,
          SAY_DIGITS,
          SAY_NUMBER,
          SAY_PHONETIC,
          SAY_TIME ->
          Optional.of(success(command));
      default -> Optional.empty();
    };
  }

  /** The result that makes the command's method return the value. */
  static CommandResult.Builder of(CommandCase command, Object value) {
    var result = CommandResult.newBuilder();
    if (value instanceof Digits digits) {
      return result.setDigits(
          DigitsResult.newBuilder().setDigits(digits.digits()).setTimedOut(digits.timedOut()));
    } else if (value instanceof Playback playback) {
      return result.setPlayback(playback(playback));
    } else if (value instanceof ChannelStatus status) {
      return result.setChannelStatus(
          ChannelStatusResult.newBuilder().setStateValue(status.number()));
    } else if (value instanceof ChannelState state) {
      return result.setChannelStatus(
          ChannelStatusResult.newBuilder()
              .setState(
                  io.agibridge.internal.v1.ChannelState.valueOf("CHANNEL_STATE_" + state.name())));
    } else if (value instanceof Integer number) {
      return result.setExec(ExecResult.newBuilder().setResult(number));
    } else if (value instanceof Recording recording) {
      return result.setRecording(
          RecordingResult.newBuilder()
              .setEndValue(recording.endNumber())
              .setDigit(recording.digit().orElse(""))
              .setEndSamples(Protos.uint32("endSamples", recording.endSamples())));
    } else if (value instanceof Speech speech) {
      return result.setSpeech(speech(speech));
    } else if (value instanceof Gosub gosub) {
      return result.setGosub(
          GosubResult.newBuilder()
              .setAbnormalExit(gosub.abnormalExit())
              .setReturnValue(gosub.returnValue()));
    } else if (value instanceof RawReply raw) {
      var reply =
          io.agibridge.internal.v1.RawReply.newBuilder()
              .setCode(raw.code())
              .setResult(raw.result())
              .setText(raw.text());
      raw.value().ifPresent(reply::setValue);
      return result.setRaw(reply);
    }
    return text(command, value instanceof Optional<?> optional ? optional : Optional.of(value));
  }

  /** A string, or none: what it means depends on the command. */
  private static CommandResult.Builder text(CommandCase command, Optional<?> value) {
    var result = CommandResult.newBuilder();
    String text = value.map(Object::toString).orElse("");
    return switch (command) {
      case GET_DATA ->
          result.setDigits(DigitsResult.newBuilder().setDigits(text).setTimedOut(text.isEmpty()));
      case GET_OPTION, STREAM_FILE, CONTROL_STREAM_FILE ->
          result.setPlayback(PlaybackResult.newBuilder().setDigit(text));
      case GET_VARIABLE, GET_FULL_VARIABLE, DATABASE_GET -> {
        var read = ValueResult.newBuilder();
        value.ifPresent(present -> read.setValue(text));
        yield result.setValue(read);
      }
      case RECEIVE_CHAR, RECEIVE_TEXT -> {
        var received = TextResult.newBuilder();
        value.ifPresent(present -> received.setText(text));
        yield result.setText(received);
      }
      case WAIT_FOR_DIGIT,
          SAY_ALPHA,
          SAY_DATE,
          SAY_DATE_TIME,
          SAY_DIGITS,
          SAY_NUMBER,
          SAY_PHONETIC,
          SAY_TIME ->
          result.setDigit(DigitResult.newBuilder().setDigit(text));
      default -> result.setDone(Done.getDefaultInstance());
    };
  }

  private static PlaybackResult.Builder playback(Playback playback) {
    var result = PlaybackResult.newBuilder().setDigit(playback.digit().orElse(""));
    playback
        .endSamples()
        .ifPresent(samples -> result.setEndSamples(Protos.uint32("endSamples", samples)));
    playback
        .endTime()
        .ifPresent(time -> result.setEndMilliseconds(Protos.uint32("endTime", time.toMillis())));
    return result;
  }

  private static SpeechResult.Builder speech(Speech speech) {
    var result =
        SpeechResult.newBuilder()
            .setEndValue(speech.endNumber())
            .setDigit(speech.digit().orElse(""))
            .setEndSamples(Protos.uint32("endSamples", speech.endSamples()));
    for (Speech.Match match : speech.matches()) {
      result.addMatches(
          SpeechResult.Match.newBuilder()
              .setScore(match.score())
              .setText(match.text())
              .setGrammar(match.grammar()));
    }
    return result;
  }
}
