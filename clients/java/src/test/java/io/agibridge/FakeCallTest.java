package io.agibridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The fake call, and on it what one asks a caller. */
@Timeout(60)
class FakeCallTest {
  private static FakeCall.Builder fake() {
    return FakeCall.builder();
  }

  @Test
  void commandsSucceedUnlessTheScriptSaysOtherwise() {
    var got = new ArrayList<Object>();
    FakeCall.Report report =
        fake()
            .callerIdNumber("3200")
            .queryParameter("k", "v")
            .pathParameter("tenant", "acme")
            .result("getData", "1234")
            .failure("streamFile", ErrorCode.FAILED, "no such file")
            .run(
                call -> {
                  call.answer();
                  got.add(
                      call.getData(
                          "enter-pin", GetDataOptions.timeout(Duration.ofSeconds(5)).maxDigits(4)));
                  assertThrows(CommandException.class, () -> call.streamFile("x"));
                  got.add(call.streamFile("x").digit());
                  got.add(call.exec("Dial", "PJSIP/100", "20"));
                  got.add(call.channel().callerIdNumber());
                  got.add(call.queryParameter("k").orElseThrow());
                  got.add(call.pathParameter("tenant").orElseThrow());
                });
    assertEquals(List.of(new Digits("1234", false), Optional.empty(), 0, "3200", "v", "acme"), got);
    assertEquals(List.of("answer", "getData", "streamFile", "streamFile", "exec"), report.names());
    SentCommand pin = report.commands().get(1);
    assertEquals("enter-pin", pin.argument("file"));
    assertEquals(Duration.ofSeconds(5), pin.argument("timeout"));
    assertEquals(4, pin.argument("maxDigits"));
    assertEquals("continueDialplan", report.next());
    assertEquals(Ended.Reason.SERVICE, report.ended().orElseThrow().reason());
  }

  @Test
  void theCallerHangsUpAtTheChosenCommand() {
    FakeCall.Report report =
        fake()
            .hangUpAt("exec")
            .variable("DIALSTATUS", "CANCEL")
            .run(
                call -> {
                  assertEquals(-1, call.exec("Dial", "PJSIP/100"));
                  assertTrue(call.isHungUp());
                  call.setVariable("ROUTED", call.getVariable("DIALSTATUS").orElseThrow());
                  call.streamFile("vm-goodbye");
                });
    assertEquals("CANCEL", report.variables().get("ROUTED"));
    assertEquals(Ended.Reason.HANGUP, report.ended().orElseThrow().reason());
    assertTrue(report.failure().isEmpty());
  }

  @Test
  void theCallerHangsUpAfterSoManyCommands() {
    FakeCall.Report report =
        fake()
            .hangUpAfter(2)
            .run(
                call -> {
                  call.answer();
                  call.streamFile("one");
                  call.streamFile("two");
                  call.streamFile("three");
                });
    assertEquals(3, report.commands().size());
    assertEquals(Ended.Reason.HANGUP, report.ended().orElseThrow().reason());
  }

  @Test
  void aHandlerThatDoesNotEndInTheGraceIsInterrupted() {
    FakeCall.Report report =
        fake()
            .hangUpAt("noop")
            .grace(Duration.ofMillis(30))
            .run(
                call -> {
                  call.noop();
                  new CountDownLatch(1).await();
                });
    assertTrue(report.failure().isEmpty());
    assertFalse(Thread.currentThread().isInterrupted());
  }

  @Test
  void aLostStreamIsTold() {
    FakeCall.Report report = fake().loseAt("answer").run(Call::answer);
    assertEquals("lost", report.next());
    assertTrue(report.ended().isEmpty());
  }

  @Test
  void whatAHandlerThrowsIsReported() {
    FakeCall.Report report =
        fake()
            .run(
                call -> {
                  throw new IllegalStateException("a fault");
                });
    assertEquals("a fault", report.failure().orElseThrow().getMessage());
    assertEquals("lost", report.next());
  }

  @Test
  void endsAndHandoffsAreReported() {
    FakeCall.Report gone = fake().run(call -> call.end(End.goTo("agents", "s", 1)));
    assertEquals("gotoDialplan", gone.next());
    assertEquals("agents,s,1", gone.nextDetail());
    FakeCall.Report failed = fake().run(call -> call.end(End.fail("no department")));
    assertEquals("no department", failed.nextDetail());
    FakeCall.Report handed = fake().run(call -> call.handoff("sales"));
    assertEquals("handoff", handed.next());
    assertEquals("sales", handed.nextDetail());
  }

  @Test
  void progressIsTold() {
    var told = new ArrayList<String>();
    fake()
        .progress("gosub", "100 Trying")
        .run(
            call -> {
              call.onProgress(told::add);
              call.gosub("sub", "s", "1");
            });
    assertEquals(List.of("100 Trying"), told);
  }

  @Test
  void aCallIsResumed() {
    var state = new CompletableFuture<String>();
    FakeCall.Report report =
        fake()
            .resumption(Resumption.Cause.HANDOFF, new byte[] {'h', 'i'}, 7)
            .run(
                call -> {
                  state.complete(
                      new String(
                          call.resumption().orElseThrow().checkpoint().orElseThrow(), "UTF-8"));
                  call.noop();
                });
    assertEquals("hi", state.join());
    assertEquals(8, report.commands().get(0).id());
  }

  @Test
  void playStopsAtADigit() {
    var digits = new ArrayList<Optional<String>>();
    FakeCall.Report report =
        fake()
            .result("streamFile", "")
            .result("streamFile", "2")
            .run(
                call -> {
                  digits.add(call.play(List.of("a", "b", "c"), "12"));
                  digits.add(call.play(List.of("d"), ""));
                });
    assertEquals(List.of(Optional.of("2"), Optional.empty()), digits);
    assertEquals(3, report.commands().size());
  }

  @Test
  void askAsksAgainUntilTheValidatorAccepts() {
    var answer = new CompletableFuture<String>();
    FakeCall.Report report =
        fake()
            .result("getData", "")
            .result("getData", "99")
            .result("getData", "12")
            .run(
                call ->
                    answer.complete(
                        call.ask("pin", 2, AskOptions.validate("12"::equals).invalid("wrong"))));
    assertEquals("12", answer.join());
    assertEquals(List.of("getData", "getData", "streamFile", "getData"), report.names());
    assertEquals(Duration.ofSeconds(5), report.commands().get(0).argument("timeout"));
  }

  @Test
  void askGivesUpAfterTheLastTry() {
    var tries = new CompletableFuture<Integer>();
    FakeCall.Report report =
        fake()
            .run(
                call -> {
                  try {
                    call.ask("pin", 4, AskOptions.tries(2).timeout(Duration.ofSeconds(1)));
                  } catch (NoInputException nothing) {
                    tries.complete(nothing.tries());
                    throw nothing;
                  }
                });
    assertEquals(2, tries.join());
    assertEquals(2, report.commands().size());
    assertTrue(report.failure().isEmpty());
    assertEquals("continueDialplan", report.next());
  }

  @Test
  void aMenuGivesWhatTheDigitStandsFor() {
    var choice = new CompletableFuture<String>();
    FakeCall.Report report =
        fake()
            .result("getOption", "9")
            .result("getOption", "1")
            .run(
                call ->
                    choice.complete(
                        call.menu("m", Map.of("1", "sales"), MenuOptions.invalid("wrong"))));
    assertEquals("sales", choice.join());
    assertEquals(List.of("getOption", "streamFile", "getOption"), report.names());
    assertEquals("0123456789*#", report.commands().get(0).argument("escapeDigits"));
  }

  @Test
  void confirmIsAMenuOfTwo() {
    var answers = new ArrayList<Boolean>();
    fake()
        .result("getOption", "1")
        .result("getOption", "2")
        .result("getOption", "*")
        .run(
            call -> {
              answers.add(call.confirm("sure"));
              answers.add(call.confirm("sure"));
              answers.add(call.confirm("sure", ConfirmOptions.yes("*").no("#")));
            });
    assertEquals(List.of(true, false, true), answers);
  }

  @Test
  void aCommandThatIsNotThereIsRefused() {
    FakeCall.Builder script = fake();
    assertThrows(IllegalArgumentException.class, () -> script.result("get_data", "1"));
  }
}
