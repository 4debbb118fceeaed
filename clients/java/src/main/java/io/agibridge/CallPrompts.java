package io.agibridge;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What one asks a caller, made of AGI's commands: play files, ask for digits, a menu, yes or no.
 * They throw what the commands throw, and {@link NoInputException} after the last try.
 */
public abstract sealed class CallPrompts extends CallCommands permits Call {
  private static final String ALL_DIGITS = "0123456789*#";

  CallPrompts() {}

  /**
   * Plays files one after the other (STREAM FILE), until one of the escape digits is pressed.
   *
   * @param files the sound files, without their endings
   * @param escapeDigits the digits that stop it, any of {@code 0-9*#}; may be empty
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException a file could not be played
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> play(List<String> files, String escapeDigits) {
    for (String file : files) {
      Optional<String> digit =
          streamFile(file, StreamFileOptions.escapeDigits(escapeDigits)).digit();
      if (digit.isPresent()) {
        return digit;
      }
    }
    return Optional.empty();
  }

  /**
   * Plays files one after the other (STREAM FILE), each to its end.
   *
   * @param files the sound files, without their endings
   * @throws HungUpException the caller is gone
   * @throws CommandException a file could not be played
   * @throws CallLostException the bridge is gone
   */
  public final void play(String... files) {
    play(List.of(files), "");
  }

  /**
   * Asks for digits (GET DATA), up to three times, 5 s each.
   *
   * @param prompt the prompt's file, without its ending
   * @param maxDigits how many digits at most; 0: as many as come before {@code #} or the timeout
   * @return the digits, at least one
   * @throws NoInputException nothing was entered
   * @throws HungUpException the caller is gone
   * @throws CommandException the prompt could not be played
   * @throws CallLostException the bridge is gone
   */
  public final String ask(String prompt, int maxDigits) {
    return ask(prompt, maxDigits, AskOptions.none());
  }

  /**
   * Asks for digits (GET DATA) until some are entered that the validator accepts.
   *
   * @param prompt the prompt's file, without its ending
   * @param maxDigits how many digits at most; 0: as many as come before {@code #} or the timeout
   * @param options time limit, tries, validator, and what is played after wrong digits
   * @return the digits, at least one
   * @throws NoInputException nothing that would do was entered
   * @throws HungUpException the caller is gone
   * @throws CommandException a prompt could not be played
   * @throws CallLostException the bridge is gone
   */
  public final String ask(String prompt, int maxDigits, AskOptions options) {
    var asked = AskOptions.Settings.of(options);
    for (int attempt = 0; attempt < asked.tries(); attempt++) {
      String digits =
          getData(prompt, GetDataOptions.timeout(asked.timeout()).maxDigits(maxDigits)).digits();
      if (!digits.isEmpty()) {
        if (asked.accepts(digits)) {
          return digits;
        }
        playInvalid(asked.invalid());
      }
    }
    throw new NoInputException(prompt, asked.tries());
  }

  /**
   * Lets the caller choose by one digit (GET OPTION), up to three times, 5 s each.
   *
   * @param prompt the prompt's file, without its ending; any of the twelve digits stops it
   * @param choices what each digit stands for
   * @param <T> what is chosen
   * @return what {@code choices} has for the digit
   * @throws NoInputException nothing was chosen
   * @throws HungUpException the caller is gone
   * @throws CommandException the prompt could not be played
   * @throws CallLostException the bridge is gone
   */
  public final <T> T menu(String prompt, Map<String, T> choices) {
    return menu(prompt, choices, MenuOptions.none());
  }

  /**
   * Lets the caller choose by one digit (GET OPTION).
   *
   * @param prompt the prompt's file, without its ending; any of the twelve digits stops it
   * @param choices what each digit stands for
   * @param options time limit, tries, and what is played after another digit
   * @param <T> what is chosen
   * @return what {@code choices} has for the digit
   * @throws NoInputException nothing was chosen
   * @throws HungUpException the caller is gone
   * @throws CommandException a prompt could not be played
   * @throws CallLostException the bridge is gone
   */
  public final <T> T menu(String prompt, Map<String, T> choices, MenuOptions options) {
    var asked = MenuOptions.Settings.of(options);
    return choose(prompt, choices, asked.asked());
  }

  private <T> T choose(String prompt, Map<String, T> choices, Asked asked) {
    for (int attempt = 0; attempt < asked.tries(); attempt++) {
      Optional<String> digit =
          getOption(prompt, ALL_DIGITS, TimeoutOptions.timeout(asked.timeout())).digit();
      if (digit.isPresent()) {
        T choice = choices.get(digit.get());
        if (choice != null) {
          return choice;
        }
        playInvalid(asked.invalid());
      }
    }
    throw new NoInputException(prompt, asked.tries());
  }

  /**
   * Asks for yes (1) or no (2), up to three times, 5 s each.
   *
   * @param prompt the prompt's file, without its ending
   * @return true for yes
   * @throws NoInputException neither was pressed
   * @throws HungUpException the caller is gone
   * @throws CommandException the prompt could not be played
   * @throws CallLostException the bridge is gone
   */
  public final boolean confirm(String prompt) {
    return confirm(prompt, ConfirmOptions.none());
  }

  /**
   * Asks for yes or no.
   *
   * @param prompt the prompt's file, without its ending
   * @param options the digits, time limit, tries, and what is played after another digit
   * @return true for yes
   * @throws NoInputException neither was pressed
   * @throws HungUpException the caller is gone
   * @throws CommandException a prompt could not be played
   * @throws CallLostException the bridge is gone
   */
  public final boolean confirm(String prompt, ConfirmOptions options) {
    var asked = ConfirmOptions.Settings.of(options);
    if (asked.yes().equals(asked.no())) {
      throw new MisuseException("confirm has the same digit for yes and no; set another one");
    }
    return choose(prompt, Map.of(asked.yes(), true, asked.no(), false), asked.asked());
  }

  private void playInvalid(Optional<String> invalid) {
    invalid.ifPresent(this::streamFile);
  }
}
