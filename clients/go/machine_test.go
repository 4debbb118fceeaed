// What comes from the bridge, also what no bridge of today sends, on the call machine alone.

package agibridge

import (
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func begun(t *testing.T, started *pb.CallStarted) *machine {
	t.Helper()
	m := newMachine(slog.New(slog.DiscardHandler))
	if started.MaxQueuedCommands == 0 {
		started.MaxQueuedCommands = 32
	}
	if !m.handle(&pb.CallEvent{Event: &pb.CallEvent_Started{Started: started}}) {
		t.Fatal("not started")
	}
	return m
}

func noop() *pending {
	return newPending(&pb.Command{Command: &pb.Command_Noop{Noop: &pb.Noop{}}})
}

func offered(t *testing.T, m *machine) *pending {
	t.Helper()
	p := noop()
	if sent, err := m.offer(p, 0); !sent || err != nil {
		t.Fatal(sent, err)
	}
	return p
}

func done(id uint32) *pb.CallEvent {
	result := &pb.CommandResult{Id: id, Outcome: &pb.CommandResult_Done{Done: &pb.Done{}}}
	return &pb.CallEvent{Event: &pb.CallEvent_Result{Result: result}}
}

// newer decodes a message that has a field of a newer contract.
func newer[M proto.Message](t *testing.T, into M) M {
	t.Helper()
	bytes := protowire.AppendTag(nil, 900, protowire.BytesType)
	bytes = protowire.AppendString(bytes, "of tomorrow")
	if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(bytes, into); err != nil {
		t.Fatal(err)
	}
	return into
}

func TestEventsOfANewerContractAreIgnored(t *testing.T) {
	m := begun(t, &pb.CallStarted{})
	p := offered(t, m)
	m.handle(newer(t, &pb.CallEvent{}))
	m.handle(&pb.CallEvent{})
	m.handle(done(p.command.GetId()))
	if p.result == nil {
		t.Error("the result behind it was not taken")
	}
}

func TestAStreamThatDoesNotBeginAsACallDoesIsGivenUp(t *testing.T) {
	m := newMachine(slog.New(slog.DiscardHandler))
	m.handle(newer(t, &pb.CallEvent{}))
	if _, how := m.take(); how != nil {
		t.Error("an event of a newer contract was taken for a fault")
	}
	m.handle(done(1))
	if _, how := m.take(); how == nil || how.code != codes.InvalidArgument {
		t.Error("the stream stays open:", how)
	}
}

func TestAResultOfANewerContractIsAnErrorOfItsCommandAlone(t *testing.T) {
	result := newer(t, &pb.CommandResult{Id: 1})
	_, err := resultAs[Digits]("GET DATA", result)
	var failed *CommandError
	if !errors.As(err, &failed) || failed.Code != CodeProtocolError {
		t.Error(err)
	}
}

func TestUnknownNumbersOfEnumsAreKept(t *testing.T) {
	for got, want := range map[string]string{
		Code(77).String(): "UNKNOWN(77)", EndReason(99).String(): "UNKNOWN(99)", ChannelState(50).String(): "UNKNOWN(50)",
		HangupSource(9).String(): "UNKNOWN(9)", ResumptionCause(3).String(): "UNKNOWN(3)", CodeUsage.String(): "USAGE",
	} {
		if got != want {
			t.Error(got, want)
		}
	}
}

func TestResultsOfNoCommandAndASecondResultAreIgnored(t *testing.T) {
	m := begun(t, &pb.CallStarted{})
	p := offered(t, m)
	for _, id := range []uint32{0, 9, 1, 1} {
		m.handle(done(id))
	}
	if p.result == nil || len(m.waiting) != 0 {
		t.Error(p.result, m.waiting)
	}
	m.handle(&pb.CallEvent{Event: &pb.CallEvent_Progress{Progress: &pb.CommandProgress{Id: 9, Text: "x"}}})
}

func TestAHeartbeatBeforeStartedAndASecondStartedAreIgnored(t *testing.T) {
	m := newMachine(slog.New(slog.DiscardHandler))
	m.handle(&pb.CallEvent{Event: &pb.CallEvent_Heartbeat{Heartbeat: &pb.Heartbeat{}}})
	started := &pb.CallEvent{Event: &pb.CallEvent_Started{Started: &pb.CallStarted{}}}
	if m.isOver() || !m.handle(started) || m.handle(started) {
		t.Error("started is the first, once")
	}
	if sent, err := m.offer(noop(), 0); !sent || err != nil {
		t.Error("a bridge that permits no command is taken to permit one:", sent, err)
	}
}

func TestAHeartbeatIsAnsweredByOne(t *testing.T) {
	m := begun(t, &pb.CallStarted{})
	m.handle(&pb.CallEvent{Event: &pb.CallEvent_Heartbeat{Heartbeat: &pb.Heartbeat{}}})
	m.handle(&pb.CallEvent{Event: &pb.CallEvent_Heartbeat{Heartbeat: &pb.Heartbeat{}}})
	controls, how := m.take()
	if len(controls) != 1 || controls[0].GetHeartbeat() == nil || how != nil {
		t.Error("one is enough where it waits:", controls, how)
	}
}

func TestAnUnexpectedEndFailsWhatIsWaitedForAndWhatComesLater(t *testing.T) {
	m := begun(t, &pb.CallStarted{})
	p := offered(t, m)
	m.lose(io.ErrUnexpectedEOF)
	<-p.done
	if _, err := m.offer(noop(), 0); !errors.Is(p.err, ErrCallLost) || !errors.Is(err, ErrCallLost) {
		t.Error(p.err, err)
	}
}

func TestAfterTheEndCommandsFailWithTheHangupOrCallEnded(t *testing.T) {
	for reason, hungUp := range map[pb.CallEnded_Reason]bool{
		pb.CallEnded_REASON_HANGUP: true, pb.CallEnded_REASON_DRAINED: false, 99: false,
	} {
		m := begun(t, &pb.CallStarted{})
		m.handle(&pb.CallEvent{Event: &pb.CallEvent_Ended{Ended: &pb.CallEnded{Reason: reason}}})
		_, err := m.offer(noop(), 0)
		var failed *CommandError
		ended := errors.As(err, &failed) && failed.Code == CodeCallEnded
		if errors.Is(err, ErrHungUp) != hungUp || ended == hungUp {
			t.Error(reason, err)
		}
	}
}

func TestIDsGoOnAfterAResumptionAndRunningCountsAsUnanswered(t *testing.T) {
	m := begun(t, &pb.CallStarted{MaxQueuedCommands: 1, Resumption: &pb.Resumption{
		LastCommandId: 7, Running: &pb.Command{Id: 6, Command: &pb.Command_GetData{GetData: &pb.GetData{}}},
	}})
	if sent, err := m.offer(noop(), 0); sent || err != nil {
		t.Error("there was room beside the running command", err)
	}
	m.handle(done(6))
	if p := offered(t, m); p.command.GetId() != 8 {
		t.Error(p.command.GetId())
	}
}

func TestACheckpointAccountsForWhatTheHandlerReceivedInOrder(t *testing.T) {
	m := begun(t, &pb.CallStarted{})
	first, second, third := offered(t, m), offered(t, m), offered(t, m)
	received := func() uint32 {
		if err := m.checkpoint(nil); err != nil {
			t.Fatal(err)
		}
		controls, _ := m.take()
		return controls[len(controls)-1].GetCheckpoint().GetLastResultId()
	}
	m.handle(done(1))
	m.handle(done(2))
	m.handle(done(3))
	if got := received(); got != 0 {
		t.Error("nothing received:", got)
	}
	_, _ = m.collect(second)
	if got := received(); got != 0 {
		t.Error("the first is missing:", got)
	}
	_, _ = m.collect(first)
	if got := received(); got != 2 {
		t.Error("two are received:", got)
	}
	m.drop(third, true)
	if got := received(); got != 3 {
		t.Error("one was given up:", got)
	}
}

func TestACommandIsTakenBackOnce(t *testing.T) {
	m := begun(t, &pb.CallStarted{})
	p := offered(t, m)
	m.drop(p, true)
	m.drop(p, true)
	controls, closing := m.take()
	if len(controls) != 2 || controls[1].GetCancel().GetId() != 1 || closing != nil {
		t.Error(controls, closing)
	}
}

func TestNothingGrowsWithTheBridgesOrTheHandlersSpeed(t *testing.T) {
	m := begun(t, &pb.CallStarted{})
	p := offered(t, m)
	for range 10 * progressMax {
		m.handle(&pb.CallEvent{Event: &pb.CallEvent_Progress{Progress: &pb.CommandProgress{Id: 1, Text: "x"}}})
	}
	if len(m.takeProgress(p)) != progressMax {
		t.Error("progress is not bounded")
	}
	m.handle(done(1))
	for id := uint32(2); id < 3*unreadMax; id++ {
		offered(t, m)
		m.handle(done(id))
		_, _ = m.take()
	}
	if len(m.unread) > unreadMax {
		t.Error("results that nobody reads are not bounded:", len(m.unread))
	}
	for range 100 {
		if err := m.checkpoint([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if controls, _ := m.take(); len(controls) > checkpointsMax {
		t.Error("checkpoints are not bounded:", len(controls))
	}
}

func TestEveryCommandOfTheContractHasAName(t *testing.T) {
	if len(commandNames) != 48 {
		t.Error("47 commands and Raw, got", len(commandNames))
	}
	names := map[string]bool{}
	for _, name := range commandNames {
		names[name] = true
	}
	for _, name := range []string{"GET DATA", "SAY DATETIME", "DATABASE DELTREE", "SET AUTOHANGUP", "CHANNEL STATUS", "HANGUP"} {
		if !names[name] {
			t.Error(name)
		}
	}
}

func TestPausesGrowToTheirBoundAndAreJittered(t *testing.T) {
	pause := pauseMin
	for range 20 {
		if its := jittered(pause); its < pause/2 || its > pause {
			t.Error(its, pause)
		}
		pause = longer(pause)
	}
	if pause != 10*time.Second {
		t.Error(pause)
	}
}

func TestTheTimeForAKeyBeginsWhenNothingRunsAnyMore(t *testing.T) {
	m := begun(t, &pb.CallStarted{})
	wait := digitWait{machine: m, timeout: 0, since: time.Now()}
	p := offered(t, m)
	_, news, err := wait.next()
	if news == nil || err != nil || wait.counts {
		t.Fatal("it counts while a command runs:", err)
	}
	// The prompt was longer than the time for a key.
	wait.timeout, wait.since = time.Hour, time.Now().Add(-2*time.Hour)
	m.handle(done(p.command.GetId()))
	<-news
	if _, news, _ := wait.next(); news == nil || !wait.counts {
		t.Error("it does not begin to count when the command is over")
	}
}

func TestInterruptStopsTheNewestFirstAndEachOnce(t *testing.T) {
	m := begun(t, &pb.CallStarted{})
	offered(t, m)
	offered(t, m)
	m.take()
	if err := errors.Join(m.interrupt(), m.interrupt()); err != nil {
		t.Fatal(err)
	}
	controls, _ := m.take()
	if len(controls) != 2 || controls[0].GetCancel().GetId() != 2 || controls[1].GetCancel().GetId() != 1 ||
		!controls[0].GetCancel().GetInterrupt() {
		t.Error(controls)
	}
}
