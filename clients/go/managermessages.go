// What is asked of the manager, and what it answers, as this package has it.

package agibridge

import (
	"maps"
	"strings"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Originate is a call to be started. Channel and Destination must be set.
type Originate struct {
	// Server is an Asterisk of the bridge's configuration; it may be empty where there is only one.
	Server string
	// RequestID makes a retry safe, for an hour; one is made unless it is set. At most 128 bytes.
	RequestID string
	// Channel is whom to call first, as "PJSIP/3200".
	Channel string
	// Destination is where the answered channel goes: Extension, Application or Route.
	Destination Destination
	// CallerIDName and CallerIDNumber are shown to whom is called.
	CallerIDName, CallerIDNumber string
	// RingTimeout is how long to let it ring, 1 s to 600 s; 30 s unless set.
	RingTimeout time.Duration
	// Variables are set on the channel that is called; a name with `__` in front is passed on to those that it calls.
	Variables map[string]string
	// AccountCode is for Asterisk's records.
	AccountCode string
	// EarlyMedia goes on as soon as there is sound: OutcomeAnswered then says no more than that.
	EarlyMedia bool
	// Codecs are permitted; Asterisk's own choice unless set.
	Codecs []string
	// DontWait returns once Asterisk took the call: OutcomeAccepted.
	DontWait bool
}

// Destination is where an answered call goes: Extension, Application or Route.
type Destination interface{ into(*pb.OriginateRequest) }

// Extension is a place in the dialplan.
type Extension struct {
	Context   string
	Extension string
	// Priority is 1 unless set.
	Priority int32
}

// Application is one of Asterisk's.
type Application struct {
	Name string
	// Data are its arguments, as the dialplan has them.
	Data string
}

// Route is a route of the bridge, as AGI() would have it: the path, with a query if wanted, as "/reminder?lang=en". It needs
// the context `agi-bridge` in the dialplan, as `agi-bridge dialplan` prints it.
type Route string

func (d Extension) into(request *pb.OriginateRequest) {
	request.Destination = &pb.OriginateRequest_Dialplan{Dialplan: &pb.DialplanTarget{
		Context: d.Context, Extension: d.Extension, Priority: d.Priority,
	}}
}

func (d Application) into(request *pb.OriginateRequest) {
	request.Destination = &pb.OriginateRequest_Application{Application: &pb.ApplicationTarget{
		Application: d.Name, Data: d.Data,
	}}
}

func (d Route) into(request *pb.OriginateRequest) {
	request.Destination = &pb.OriginateRequest_Route{Route: string(d)}
}

func (o *Originate) message() (*pb.OriginateRequest, error) {
	if o.Channel == "" || o.Destination == nil {
		return nil, misuse("Originate needs a Channel and a Destination: an Extension, an Application or a Route")
	}
	request := &pb.OriginateRequest{
		Server: o.Server, RequestId: o.RequestID, Channel: o.Channel,
		CallerIdName: o.CallerIDName, CallerIdNumber: o.CallerIDNumber, RingTimeout: unlessZero(o.RingTimeout),
		Variables: maps.Clone(o.Variables), AccountCode: o.AccountCode, EarlyMedia: o.EarlyMedia, Codecs: o.Codecs,
		WaitForOutcome: !o.DontWait,
	}
	o.Destination.into(request)
	return request, nil
}

// OriginateOutcome says what became of a call. Its numbers are the contract's.
type OriginateOutcome int32

// What became of a call.
const (
	// OutcomeAccepted: Asterisk took it; what became of it was not waited for.
	OutcomeAccepted = OriginateOutcome(pb.OriginateResponse_OUTCOME_ACCEPTED)
	// OutcomeAnswered: the channel was answered.
	OutcomeAnswered = OriginateOutcome(pb.OriginateResponse_OUTCOME_ANSWERED)
	// OutcomeBusy: the other side said so.
	OutcomeBusy = OriginateOutcome(pb.OriginateResponse_OUTCOME_BUSY)
	// OutcomeNoAnswer: it rang for as long as RingTimeout, or as the network let it.
	OutcomeNoAnswer = OriginateOutcome(pb.OriginateResponse_OUTCOME_NO_ANSWER)
	// OutcomeCongestion: the network said so.
	OutcomeCongestion = OriginateOutcome(pb.OriginateResponse_OUTCOME_CONGESTION)
	// OutcomeRefused: no such device, number or extension, or Asterisk refused it; the detail says which.
	OutcomeRefused = OriginateOutcome(pb.OriginateResponse_OUTCOME_REFUSED)
	// OutcomeFailed: it ended in another way before it was answered; the detail says how.
	OutcomeFailed = OriginateOutcome(pb.OriginateResponse_OUTCOME_FAILED)
	// OutcomeUnknown: it was sent, or may have been, and the bridge lost the link to Asterisk. It is not sent again: ask again with
	// the same RequestID.
	OutcomeUnknown = OriginateOutcome(pb.OriginateResponse_OUTCOME_UNKNOWN)
)

// String gives the contract's name, as ANSWERED; UNKNOWN(77) for one of a newer bridge.
func (o OriginateOutcome) String() string {
	return enumName(pb.OriginateResponse_Outcome_name, int32(o), "OUTCOME_")
}

// Originated is what became of a call.
type Originated struct {
	Outcome OriginateOutcome
	// Channel is the name of the channel that was called; empty when it is not known.
	Channel string
	// UniqueID is its id, `agi_uniqueid` of an AGI session on it.
	UniqueID string
	// Detail is for people.
	Detail string
	// RequestID is the one that was set, or made.
	RequestID string
}

func originatedFrom(answer *pb.OriginateResponse, requestID string) Originated {
	return Originated{
		Outcome: OriginateOutcome(answer.GetOutcome()), Channel: answer.GetChannel(), UniqueID: answer.GetUniqueId(),
		Detail: answer.GetDetail(), RequestID: requestID,
	}
}

// Header is a line of an action, an answer or an event.
type Header struct{ Key, Value string }

// Headers are in order, and a key may repeat.
type Headers []Header

// Get gives the first value of a key, in any case; empty when there is none.
func (h Headers) Get(key string) string {
	for _, header := range h {
		if strings.EqualFold(header.Key, key) {
			return header.Value
		}
	}
	return ""
}

// Action is one of Asterisk's manager, as CoreShowChannels.
type Action struct {
	// Server is an Asterisk of the bridge's configuration; it may be empty where there is only one.
	Server string
	// Name is the action's.
	Name string
	// Headers are sent in order.
	Headers Headers
	// Timeout is how long the bridge waits for the answer; 10 s unless set.
	Timeout time.Duration
}

func (a *Action) message() *pb.SendActionRequest {
	return &pb.SendActionRequest{
		Server: a.Server, Action: a.Name, Timeout: unlessZero(a.Timeout),
		Headers: mapped(a.Headers, func(it Header) *pb.Header { return &pb.Header{Key: it.Key, Value: it.Value} }),
	}
}

// ActionResponse is what Asterisk answered.
type ActionResponse struct {
	// Success is false where Asterisk refused it; Message says why.
	Success bool
	Message string
	Headers Headers
	// Events are the list that came with the answer.
	Events []Event
	// Output has the lines that the action Command gives.
	Output []string
	// Truncated: the answer was too long, and something of it is missing.
	Truncated bool
}

func actionResponseFrom(answer *pb.SendActionResponse) ActionResponse {
	return ActionResponse{
		Success: answer.GetSuccess(), Message: answer.GetMessage(), Headers: headersFrom(answer.GetHeaders()),
		Events: mapped(answer.GetEvents(), eventFrom), Output: answer.GetOutput(), Truncated: answer.GetTruncated(),
	}
}

// Event is one of Asterisk's manager.
type Event struct {
	// Server is the Asterisk that it is from.
	Server string
	// Name is as Newchannel.
	Name       string
	Headers    Headers
	ReceivedAt time.Time
}

func eventFrom(event *pb.ManagerEvent) Event {
	return Event{
		Server: event.GetServer(), Name: event.GetName(), Headers: headersFrom(event.GetHeaders()),
		ReceivedAt: event.GetReceivedAt().AsTime(),
	}
}

// ServerState is the state of the bridge's link to an Asterisk.
type ServerState struct {
	Server    string
	Connected bool
	// AsteriskVersion is empty when it is not known.
	AsteriskVersion string
	// Detail says why it is not connected.
	Detail string
}

func serverStateFrom(state *pb.ServerState) ServerState {
	return ServerState{
		Server: state.GetServer(), Connected: state.GetConnected(), AsteriskVersion: state.GetAsteriskVersion(),
		Detail: state.GetDetail(),
	}
}

func headersFrom(headers []*pb.Header) Headers {
	return mapped(headers, func(it *pb.Header) Header { return Header{it.GetKey(), it.GetValue()} })
}

func mapped[A, B any](all []A, to func(A) B) []B {
	made := make([]B, 0, len(all))
	for _, it := range all {
		made = append(made, to(it))
	}
	return made
}

func unlessZero(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}
