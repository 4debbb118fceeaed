// The fake call's way into this package.

package agibridge

import (
	"context"

	"github.com/agi-bridge/agi-bridge/clients/go/internal/hook"
	"google.golang.org/grpc/codes"
)

func init() {
	hook.CommandName = commandName
	hook.Drive = func(ctx context.Context, handler any, stream hook.Stream, its hook.Settings, done func()) (codes.Code, string) {
		d := &driver{handler: handler.(Handler), cleanup: its.Cleanup, stuck: stuckAfter, log: its.Log}
		how := d.drive(ctx, newMachine(its.Log), stream, done)
		return how.code, how.text
	}
}
