// What a request to the manager can fail with.

package agibridge

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ManagerCode says how a request of a Manager failed. Its numbers are gRPC's.
type ManagerCode uint32

// The codes of a request that failed.
const (
	// ManagerInvalidArgument: nothing was sent; the detail names the field.
	ManagerInvalidArgument = ManagerCode(codes.InvalidArgument)
	// ManagerUnauthenticated: the bridge knows nobody by this token or certificate.
	ManagerUnauthenticated = ManagerCode(codes.Unauthenticated)
	// ManagerPermissionDenied: the bridge's `api.clients` does not grant it.
	ManagerPermissionDenied = ManagerCode(codes.PermissionDenied)
	// ManagerNotFound: the bridge has no such server.
	ManagerNotFound = ManagerCode(codes.NotFound)
	// ManagerAlreadyExists: the RequestID belongs to another request.
	ManagerAlreadyExists = ManagerCode(codes.AlreadyExists)
	// ManagerResourceExhausted: over a limit of this client, or of the link to Asterisk.
	ManagerResourceExhausted = ManagerCode(codes.ResourceExhausted)
	// ManagerFailedPrecondition: a RequestID cannot be kept at this Asterisk.
	ManagerFailedPrecondition = ManagerCode(codes.FailedPrecondition)
	// ManagerUnavailable: the bridge, or its link to Asterisk, is not to be had.
	ManagerUnavailable = ManagerCode(codes.Unavailable)
	// ManagerUnknown: an action was sent and may have been done.
	ManagerUnknown = ManagerCode(codes.Unknown)
	// ManagerDeadlineExceeded: not answered in time; it may have been done.
	ManagerDeadlineExceeded = ManagerCode(codes.DeadlineExceeded)
	// ManagerCanceled: the context was cancelled, or the Manager closed; it may have been done.
	ManagerCanceled = ManagerCode(codes.Canceled)
	// ManagerUnimplemented: what answers is no bridge, or an older one.
	ManagerUnimplemented = ManagerCode(codes.Unimplemented)
)

var managerCodeNames = map[ManagerCode]string{
	ManagerInvalidArgument: "INVALID_ARGUMENT", ManagerUnauthenticated: "UNAUTHENTICATED",
	ManagerPermissionDenied: "PERMISSION_DENIED", ManagerNotFound: "NOT_FOUND", ManagerAlreadyExists: "ALREADY_EXISTS",
	ManagerResourceExhausted: "RESOURCE_EXHAUSTED", ManagerFailedPrecondition: "FAILED_PRECONDITION",
	ManagerUnavailable: "UNAVAILABLE", ManagerUnknown: "UNKNOWN", ManagerDeadlineExceeded: "DEADLINE_EXCEEDED",
	ManagerCanceled: "CANCELLED", ManagerUnimplemented: "UNIMPLEMENTED",
	ManagerCode(codes.Aborted): "ABORTED", ManagerCode(codes.OutOfRange): "OUT_OF_RANGE",
	ManagerCode(codes.Internal): "INTERNAL", ManagerCode(codes.DataLoss): "DATA_LOSS",
}

// String gives gRPC's name, as PERMISSION_DENIED.
func (c ManagerCode) String() string {
	if name, known := managerCodeNames[c]; known {
		return name
	}
	return fmt.Sprintf("UNKNOWN(%d)", uint32(c))
}

func (c ManagerCode) advice() string {
	switch c {
	case ManagerInvalidArgument:
		return "correct the field that is named"
	case ManagerUnauthenticated:
		return "give the Token, or the certificate, of the bridge's `api.clients`"
	case ManagerPermissionDenied:
		return "have it granted in the bridge's `api.clients`"
	case ManagerNotFound:
		return "name a server of the bridge's `managers`"
	case ManagerAlreadyExists:
		return "choose another RequestID for another call"
	case ManagerResourceExhausted:
		return "ask for less at a time, or have the limits of `api.clients` raised"
	case ManagerFailedPrecondition:
		return "give the bridge's user the class `system` in manager.conf"
	case ManagerUnavailable:
		return "see that the bridge runs, and its link to Asterisk with ListServers"
	case ManagerUnimplemented:
		return "use the address of a bridge's `api.listen`, one of this version or newer"
	case ManagerUnknown, ManagerDeadlineExceeded, ManagerCanceled:
		return "it may have been done"
	default:
		return "see the bridge's log"
	}
}

// ManagerError is the error of a request of a Manager. Where its context had ended, errors.Is finds that too.
//
//	var failed *agibridge.ManagerError
//	if errors.As(err, &failed) && failed.Code == agibridge.ManagerPermissionDenied { … }
type ManagerError struct {
	// Code says how it failed.
	Code ManagerCode
	// Detail is the bridge's text, for people.
	Detail string
	// Method is what was asked, as "Originate".
	Method string

	cause error
}

func (e *ManagerError) Error() string {
	return fmt.Sprintf("agibridge: %s: %s: %s (%s)", e.Method, e.Code, e.Detail, e.Code.advice())
}

// Unwrap gives the context's error, where that ended the request.
func (e *ManagerError) Unwrap() error { return e.cause }

func managerError(ctx context.Context, method string, err error) error {
	told := status.Convert(err)
	return &ManagerError{Code: ManagerCode(told.Code()), Detail: told.Message(), Method: method, cause: ctx.Err()}
}
