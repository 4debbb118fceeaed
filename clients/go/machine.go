// The call machine: ids, order, pending results, hangup and end of one call. It takes the bridge's events, and has
// controls for the bridge; it knows no transport, no handler and no clock.

package agibridge

import (
	"log/slog"
	"sync"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"google.golang.org/grpc/codes"
)

const (
	// progressMax bounds what is kept of a command's progress until somebody waits for the command.
	progressMax = 64
	// unreadMax bounds the answered commands that nobody waited for; older ones count as received.
	unreadMax = 1000
	// checkpointsMax bounds the checkpoints that are not on their way yet; one more takes the place of the newest.
	checkpointsMax = 4
)

// closing is how the service ends its side of the stream.
type closing struct {
	code codes.Code // OK: done
	text string
}

// pending is a command that was sent, or will be.
type pending struct {
	command *pb.Command
	done    chan struct{} // closed once result or err is set
	result  *pb.CommandResult
	err     error
	news    chan struct{} // signalled when progress grows

	// Guarded by the machine's lock.
	progress                 []string
	sent, cancelled, dropped bool // dropped: nobody waits for it any more
	received, interrupted    bool
}

func newPending(command *pb.Command) *pending {
	return &pending{command: command, done: make(chan struct{}), news: make(chan struct{}, 1)}
}

func (p *pending) name() string { return commandName(p.command) }

type machine struct {
	log *slog.Logger
	// turn is held by whoever sends: commands of a batch stay together, and those who wait for room wait in order.
	turn chan struct{}
	// room is signalled when a command was answered. Only who has the turn waits for it.
	room chan struct{}
	// wake is signalled when there is something to write, or the service's side is to be closed.
	wake chan struct{}

	hungUp   chan struct{} // closed once the caller is gone
	told     chan struct{} // closed at the bridge's `hangup`, which says the grace
	draining chan struct{} // closed when the bridge drains
	over     chan struct{} // closed once nothing more comes: ended, lost or released

	mu         sync.Mutex
	started    *pb.CallStarted
	limit      int
	lastID     uint32
	waiting    map[uint32]*pending
	unread     []*pending // sent and not received by the handler, in order
	receivedID uint32     // every result up to this one was received
	outbox     []*pb.CallControl
	gone       bool
	// Keys that nobody took, and what is closed when there is one, or when no command runs any more; nil: nobody waits.
	digits        []PressedDigit
	digitNews     chan struct{}
	digitsDropped bool
	idles         uint64 // how often no command ran any more, from 1
	interrupts    uint64
	hangup        *pb.Hangup
	drain         *pb.Draining
	ended         *pb.CallEnded
	lost          error
	closing       *closing
	endSent       bool
	handing       bool // a handoff is on its way, or done
	released      bool // by the handler itself
	returned      bool // the handler is over
}

func newMachine(log *slog.Logger) *machine {
	return &machine{
		log:  log,
		turn: make(chan struct{}, 1), room: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		hungUp: make(chan struct{}), told: make(chan struct{}), draining: make(chan struct{}), over: make(chan struct{}),
		waiting: map[uint32]*pending{}, idles: 1,
	}
}

// wake wakes one who waits; it does not matter when nobody does.
func wake(channel chan struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}

// handle takes an event of the bridge. True: it was the one that starts the call.
func (m *machine) handle(event *pb.CallEvent) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.isOver() {
		return false
	}
	if started := event.GetStarted(); started != nil {
		return m.start(started)
	}
	if m.started == nil {
		if event.GetEvent() != nil && event.GetHeartbeat() == nil {
			m.unstarted()
		}
		return false
	}
	switch it := event.GetEvent().(type) {
	case *pb.CallEvent_Result:
		m.answer(it.Result)
	case *pb.CallEvent_Progress:
		m.addProgress(it.Progress)
	case *pb.CallEvent_Hangup:
		if m.hangup == nil {
			m.hangup = it.Hangup
			close(m.told)
		}
		m.callerGone()
	case *pb.CallEvent_Digit:
		m.addDigit(it.Digit)
	case *pb.CallEvent_Draining:
		if m.drain == nil {
			close(m.draining)
		}
		m.drain = it.Draining
	case *pb.CallEvent_Ended:
		m.end(it.Ended)
	case *pb.CallEvent_Heartbeat:
		// Where anything waits to be sent, proxies on the way see traffic enough.
		if len(m.outbox) == 0 {
			m.post(&pb.CallControl{Control: &pb.CallControl_Heartbeat{Heartbeat: it.Heartbeat}})
		}
	default:
		// An event of a newer contract.
	}
	return false
}

func (m *machine) start(started *pb.CallStarted) bool {
	if m.started != nil {
		m.log.Warn("agibridge: a second `started` is ignored")
		return false
	}
	m.started = started
	m.limit = max(1, int(started.GetMaxQueuedCommands()))
	before := started.GetResumption()
	if before == nil {
		return true
	}
	m.lastID = before.GetLastCommandId()
	for _, result := range before.GetResults() {
		m.receivedID = max(m.receivedID, result.GetId())
	}
	if running := before.GetRunning(); running != nil {
		m.expect(newPending(running))
	}
	if before.GetHungUp() {
		m.callerGone()
	}
	return true
}

func (m *machine) expect(p *pending) {
	p.sent = true
	m.waiting[p.command.GetId()] = p
	m.unread = append(m.unread, p)
}

func (m *machine) answer(result *pb.CommandResult) {
	p := m.waiting[result.GetId()]
	if p == nil {
		// Of a command that the service before had sent; or of none.
		m.log.Debug("agibridge: a result of no command of this handler", "command_id", result.GetId())
		return
	}
	delete(m.waiting, result.GetId())
	if result.GetHungUp() {
		m.log.Debug("agibridge: the caller was gone when this result came", "command_id", result.GetId())
	}
	p.result = result
	close(p.done)
	if p.dropped {
		m.receive(p)
	}
	for len(m.unread) > unreadMax && m.unread[0].result != nil {
		m.receive(m.unread[0])
	}
	if len(m.waiting) == 0 {
		m.becameIdle()
	}
	wake(m.room)
}

// receive notes that the handler has this result: a checkpoint from now on accounts for it.
func (m *machine) receive(p *pending) {
	p.received = true
	for len(m.unread) > 0 && m.unread[0].received {
		m.receivedID = max(m.receivedID, m.unread[0].command.GetId())
		m.unread = m.unread[1:]
	}
}

func (m *machine) addProgress(progress *pb.CommandProgress) {
	p := m.waiting[progress.GetId()]
	if p == nil {
		return
	}
	if len(p.progress) == progressMax {
		m.log.Warn("agibridge: progress of a command is dropped: nobody waits for it", "command", p.name())
		return
	}
	p.progress = append(p.progress, progress.GetText())
	wake(p.news)
}

func (m *machine) callerGone() {
	if !m.gone {
		m.gone = true
		close(m.hungUp)
	}
}

// offer puts a command behind those before it. False: there is no room for it yet.
//
// interrupts is how many there were when its sender began: one more, and it is taken back.
func (m *machine) offer(p *pending, interrupts uint64) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.misused(p.name()); err != nil {
		return false, err
	}
	if err := m.refusal(p.name()); err != nil {
		return false, err
	}
	if m.interrupts != interrupts {
		return false, &CommandError{CodeCancelled, "taken back before it was sent", p.name()}
	}
	if len(m.waiting) >= m.limit {
		return false, nil
	}
	m.lastID++
	p.command.Id = m.lastID
	m.expect(p)
	m.post(&pb.CallControl{Control: &pb.CallControl_Command{Command: p.command}})
	return true, nil
}

// drop takes a command back: nobody waits for it any more, or somebody asked for that.
func (m *machine) drop(p *pending, nobodyWaits bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.dropped = p.dropped || nobodyWaits
	if p.result != nil || p.err != nil {
		m.receive(p)
		return
	}
	if !p.sent || p.cancelled || m.isOver() {
		return
	}
	p.cancelled = true
	cancel := &pb.CancelCommand{Id: p.command.GetId()}
	m.post(&pb.CallControl{Control: &pb.CallControl_Cancel{Cancel: cancel}})
}

// collect gives what an answered command has, and notes that the handler has it.
func (m *machine) collect(p *pending) (*pb.CommandResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.receive(p)
	return p.result, p.err
}

func (m *machine) takeProgress(p *pending) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	texts := p.progress
	p.progress = nil
	return texts
}

func (m *machine) checkpoint(state []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.misused("checkpoint"); err != nil {
		return err
	}
	if err := m.refusal("checkpoint"); err != nil {
		return err
	}
	received := m.receivedID
	control := &pb.CallControl{Control: &pb.CallControl_Checkpoint{
		Checkpoint: &pb.Checkpoint{State: state, LastResultId: &received},
	}}
	// A bridge that reads slowly gets the newest only.
	if held := len(m.outbox); held >= checkpointsMax && m.outbox[held-1].GetCheckpoint() != nil {
		m.outbox[held-1] = control
		return nil
	}
	m.post(control)
	return nil
}

func (m *machine) post(control *pb.CallControl) {
	m.outbox = append(m.outbox, control)
	wake(m.wake)
}

// take gives what is to be written now, and, behind that, how to close the service's side; nil: not yet.
func (m *machine) take() ([]*pb.CallControl, *closing) {
	m.mu.Lock()
	defer m.mu.Unlock()
	controls := m.outbox
	m.outbox = nil
	if m.closing == nil && m.isOver() {
		return controls, &closing{codes.OK, ""}
	}
	return controls, m.closing
}
