// Package hook lets agibridgetest drive calls with the call machine of agibridge, without either being public.
package hook

import (
	"context"
	"log/slog"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"google.golang.org/grpc/codes"
)

// Stream is the stream of one call.
type Stream interface {
	Recv() (*pb.CallEvent, error)
	Send(*pb.CallControl) error
}

// Settings are what a server would have.
type Settings struct {
	Cleanup time.Duration
	Log     *slog.Logger
}

// Drive runs a handler, an agibridge.Handler, on a stream. It returns when the service's side is to be closed, and says how;
// done is called when the handler is over. Package agibridge sets it.
var Drive func(ctx context.Context, handler any, stream Stream, its Settings, done func()) (codes.Code, string)

// CommandName gives the name of a command as Asterisk has it. Package agibridge sets it.
var CommandName func(*pb.Command) string
