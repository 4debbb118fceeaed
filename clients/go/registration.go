// One registration of a worker at one bridge, and the calls that come by it.

package agibridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// linger is what a stream that is going to be cancelled is given to write what was sent before.
const linger = 100 * time.Millisecond

// keep registers at an address, again and again.
func (w *worker) keep(ctx context.Context, l *link) {
	pause := pauseMin
	told := ""
	for {
		registered, err := w.register(ctx, l)
		if registered {
			pause = pauseMin
			told = ""
		}
		if ctx.Err() != nil || w.stops() {
			return
		}
		text := status.Convert(err).Message()
		switch status.Code(err) {
		case codes.Unauthenticated:
			if w.tokenFunc != nil {
				err = fmt.Errorf("the token is refused (%s), and the next one is tried: %s", text, tokenRefused)
				break
			}
			w.fail(w.advice(l.address, text, "give the Token, or the certificate, of the bridge's `api.workers`"))
			return
		case codes.PermissionDenied:
			w.fail(w.advice(l.address, text, "permit the group to this token or certificate in the bridge's `api.workers`"))
			return
		case codes.AlreadyExists:
			w.fail(w.advice(l.address, text, "another worker has this name: choose another WorkerID"))
			return
		case codes.InvalidArgument:
			w.fail(w.advice(l.address, text, "correct groups, WorkerID or Labels"))
			return
		case codes.Unimplemented:
			w.fail(w.advice(l.address, text, "is this the address of a bridge's `api.listen`?"))
			return
		case codes.Aborted:
			// Two addresses may be one bridge, and the other one has the registration: that is known in a moment.
			if !w.sleep(ctx, time.Second) {
				return
			}
			if !w.elsewhere(l) {
				w.fail(w.advice(l.address, text, "another worker has registered by the same name: give each its own WorkerID"))
				return
			}
			w.log.Debug("agibridge: another address leads to the same bridge", "address", l.address)
			for w.elsewhere(l) {
				if !w.sleep(ctx, lookupEvery) {
					return
				}
			}
			continue
		}
		// It may be so for hours, and this is said of each try.
		if why := err.Error(); why != told {
			w.log.Warn("agibridge: not registered; trying again", "address", l.address, "error", why)
			told = why
		}
		if !w.sleep(ctx, jittered(pause)) {
			return
		}
		pause = longer(pause)
	}
}

func (w *worker) stops() bool {
	select {
	case <-w.stopping:
		return true
	default:
		return false
	}
}

// elsewhere tells whether this worker is registered at the same bridge by another address.
func (w *worker) elsewhere(l *link) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, other := range w.links {
		if other != l && other.live && other.bridge == l.bridge {
			return true
		}
	}
	return false
}

func (w *worker) note(l *link, live bool, bridge string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l.live = live
	if live {
		l.bridge = bridge
	}
}

func (w *worker) dial(l *link) (*grpc.ClientConn, error) {
	options := w.dialOptions()
	if w.tls == nil || w.tls.ServerName == "" {
		options = append(options, grpc.WithAuthority(l.authority))
	}
	return grpc.NewClient("passthrough:///"+l.address, options...)
}

// register is registered until the error. The connection stays for as long as it has calls.
func (w *worker) register(ctx context.Context, l *link) (registered bool, err error) {
	token, err := w.tokenNow(ctx)
	if err != nil {
		return false, err
	}
	connection, err := w.dial(l)
	if err != nil {
		return false, err
	}
	var calls sync.WaitGroup
	defer func() {
		go func() {
			calls.Wait()
			_ = connection.Close()
		}()
	}()
	// The stream outlives ctx for a moment, to be closed in order.
	streamCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	client := pb.NewWorkerServiceClient(connection)
	stream, err := client.Register(showing(streamCtx, token))
	if err != nil {
		return false, err
	}
	r := &registration{worker: w, client: client, stream: stream, calls: &calls}
	hello := &pb.WorkerHello{WorkerId: w.workerID, Groups: w.groups, MaxCalls: w.helloCalls(), Labels: w.labels}
	r.report(&pb.WorkerReport{Report: &pb.WorkerReport_Hello{Hello: hello}})

	over := make(chan struct{})
	defer close(over)
	go r.closeInOrder(ctx, over, cancel)
	defer w.note(l, false, "")
	for {
		offer, err := stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the bridge closed the registration")
			}
			return registered, err
		}
		switch it := offer.GetOffer().(type) {
		case *pb.WorkerOffer_Registered:
			registered = true
			bridge := it.Registered.GetBridgeId()
			w.note(l, true, bridge)
			w.log.Info("agibridge: registered", "bridge", bridge, "address", l.address, "groups", w.groups)
			if w.onRegistered != nil {
				w.onRegistered(bridge, l.address)
			}
		case *pb.WorkerOffer_Call:
			r.offered(it.Call)
		case *pb.WorkerOffer_Heartbeat:
			r.report(&pb.WorkerReport{Report: &pb.WorkerReport_Heartbeat{Heartbeat: it.Heartbeat}})
		default:
			// A withdrawn offer is found out by taking it; others are of a newer contract.
		}
	}
}

type registration struct {
	worker *worker
	client pb.WorkerServiceClient
	calls  *sync.WaitGroup

	mu     sync.Mutex // of Send
	stream grpc.BidiStreamingClient[pb.WorkerReport, pb.WorkerOffer]
}

// report says something to the bridge. That it cannot be said, the reader learns too.
func (r *registration) report(report *pb.WorkerReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.stream.Send(report)
}

// closeInOrder tells the bridge that the worker drains, and, when ctx ends, that it leaves.
func (r *registration) closeInOrder(ctx context.Context, over <-chan struct{}, cancel context.CancelFunc) {
	select {
	case <-over:
		return
	case <-r.worker.stopping:
		r.report(&pb.WorkerReport{Report: &pb.WorkerReport_Status{Status: &pb.WorkerStatus{Draining: true}}})
	case <-ctx.Done():
	}
	select {
	case <-over:
		return
	case <-ctx.Done():
	}
	r.mu.Lock()
	_ = r.stream.CloseSend()
	r.mu.Unlock()
	select {
	case <-over:
	case <-time.After(closeTimeout):
		cancel()
	}
}

func (r *registration) offered(offer *pb.CallOffer) {
	w := r.worker
	m := newMachine(w.log)
	if err := w.roster.add(m); err != nil {
		r.decline(offer, err.Error())
		return
	}
	r.calls.Go(func() {
		defer w.roster.leave(m)
		// It may take its time, and the bridge is not to be kept waiting for heartbeats.
		token, err := w.tokenNow(context.Background())
		if err != nil {
			w.log.Warn("agibridge: a call is declined", "call_id", offer.GetCallId(), "error", err)
			w.roster.leave(m)
			r.decline(offer, "this worker has no token now")
			return
		}
		ctx := showing(context.Background(), token, "agibridge-offer-token", offer.GetToken())
		w.take(ctx, r.client, m, offer)
	})
}

func (r *registration) decline(offer *pb.CallOffer, reason string) {
	declined := &pb.OfferDeclined{Token: offer.GetToken(), Reason: reason}
	r.report(&pb.WorkerReport{Report: &pb.WorkerReport_Declined{Declined: declined}})
}

// take drives one call that was offered.
func (w *worker) take(ctx context.Context, client pb.WorkerServiceClient, m *machine, offer *pb.CallOffer) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.TakeCall(ctx)
	if err != nil {
		w.roster.leave(m)
		w.log.Warn("agibridge: an offered call could not be taken", "call_id", offer.GetCallId(), "error", err)
		return
	}
	how := w.driver.drive(ctx, m, stream, func() { w.roster.leave(m) })
	if how.code != codes.OK {
		// A client has no status to end with: its stream is cancelled.
		w.log.Debug("agibridge: giving the call up", "call_id", offer.GetCallId(), "status", fmt.Sprint(how.code), "reason", how.text)
		time.Sleep(linger)
		return
	}
	_ = stream.CloseSend()
	select {
	case <-stream.Context().Done():
	case <-time.After(flushTimeout):
	}
}
