// Package agibridge drives phone calls: a service behind agi-bridge, which turns each FastAGI session of Asterisk into one
// stream. One handler is called with a Call for each call, and every AGI command is a method of it.
//
//	err := agibridge.Serve(ctx, ":50051", func(ctx context.Context, call *agibridge.Call) error {
//		if err := call.Answer(ctx); err != nil {
//			return err
//		}
//		pin, err := call.GetData(ctx, "enter-pin", agibridge.Timeout(5*time.Second), agibridge.MaxDigits(4))
//		if err != nil {
//			return err
//		}
//		return call.SetVariable(ctx, "PIN", pin.Digits)
//	})
//
// Serve is a gRPC server that the bridge dials; Work dials in to the bridge with the same handler. Package agibridgetest
// runs a handler without network.
package agibridge

// Version is this module's, and that of the bridge it was released with.
const Version = "0.1.0"
