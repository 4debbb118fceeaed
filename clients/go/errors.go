// The errors of a call: five that errors.Is tells apart, and CommandError, which errors.As finds.

package agibridge

import (
	"errors"
	"fmt"
	"strings"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
)

var (
	// ErrHungUp is the error of a command that needs a live channel once the caller is gone, and of every command once
	// the session has ended by a hangup. A handler may return it: the call ends well then.
	ErrHungUp = errors.New("the caller has hung up")

	// ErrCallLost is the error of every command once the stream from the bridge is broken. The call itself may go on with
	// another service: store nothing that says it is over.
	ErrCallLost = errors.New("the stream from the bridge is lost")

	// ErrNoInput is the error of Ask, Menu and Confirm when the caller entered nothing that would do. A handler may return
	// it: the call goes on in the dialplan, and it is logged as information.
	ErrNoInput = errors.New("the caller entered nothing that would do")

	// ErrMisuse is the error of a fault in the program that uses this package, as a command on the call of another
	// handler. Its text says which.
	ErrMisuse = errors.New("misuse of agibridge")
)

// Code says how a command failed. Its numbers are the contract's.
type Code int32

// The codes of a failed command. HUNG_UP has none here: it is ErrHungUp.
const (
	// CodeInvalidArgument: the bridge refused the command and wrote nothing; the detail names the field.
	CodeInvalidArgument = Code(pb.CommandError_CODE_INVALID_ARGUMENT)
	// CodeNotAllowed: the route's policy does not allow the command, application or variable.
	CodeNotAllowed = Code(pb.CommandError_CODE_NOT_ALLOWED)
	// CodeQueueFull: more commands were unanswered than the bridge permits. This package waits for room instead.
	CodeQueueFull = Code(pb.CommandError_CODE_QUEUE_FULL)
	// CodeSkipped: the command before it did not succeed, and it asked for that.
	CodeSkipped = Code(pb.CommandError_CODE_SKIPPED)
	// CodeCancelled: taken back before it was written to Asterisk.
	CodeCancelled = Code(pb.CommandError_CODE_CANCELLED)
	// CodeTimedOut: not answered within its ReplyTimeout. It may still be running; the next command waits for it.
	CodeTimedOut = Code(pb.CommandError_CODE_TIMED_OUT)
	// CodeUnknownCommand: this Asterisk does not know the command, or its module is not loaded.
	CodeUnknownCommand = Code(pb.CommandError_CODE_UNKNOWN_COMMAND)
	// CodeUsage: Asterisk did not accept the arguments; the detail holds its usage text.
	CodeUsage = Code(pb.CommandError_CODE_USAGE)
	// CodeFailed: Asterisk tried and failed, as for a missing file, with the channel still up.
	CodeFailed = Code(pb.CommandError_CODE_FAILED)
	// CodeCallEnded: the session ended before the reply came, or before the command's turn.
	CodeCallEnded = Code(pb.CommandError_CODE_CALL_ENDED)
	// CodeNoSuchApplication: EXEC of an application that is not there.
	CodeNoSuchApplication = Code(pb.CommandError_CODE_NO_SUCH_APPLICATION)
	// CodeProtocolError: the reply is no reply to this command.
	CodeProtocolError = Code(pb.CommandError_CODE_PROTOCOL_ERROR)
)

// String gives the contract's name, as FAILED; UNKNOWN(77) for one of a newer bridge.
func (c Code) String() string { return enumName(pb.CommandError_Code_name, int32(c), "CODE_") }

func (c Code) advice() string {
	switch c {
	case CodeInvalidArgument:
		return "correct the argument that the detail names"
	case CodeNotAllowed:
		return "allow it in the bridge's route, or do without"
	case CodeQueueFull:
		return "send fewer commands at a time"
	case CodeSkipped:
		return "look at the error of the command before it"
	case CodeCancelled:
		return "it was not run: send it again if it is still wanted"
	case CodeTimedOut:
		return "it may still be running: the next command waits for it"
	case CodeUnknownCommand:
		return "load the Asterisk module that has it"
	case CodeUsage:
		return "compare the arguments with the usage text"
	case CodeFailed:
		return "see whether the file, key or device is there, and Asterisk's log"
	case CodeCallEnded:
		return "the session is over: send nothing after it"
	case CodeNoSuchApplication:
		return "load the Asterisk module of the application, or correct its name"
	case CodeProtocolError:
		return "see the bridge's log: Asterisk and the bridge do not understand each other"
	default:
		return "a newer version of agibridge would know this code"
	}
}

// CommandError is the error of a command that was refused or failed while the caller is there.
//
//	var failed *agibridge.CommandError
//	if errors.As(err, &failed) && failed.Code == agibridge.CodeFailed { … }
type CommandError struct {
	// Code says how it failed.
	Code Code
	// Detail is the bridge's text, for people; it may be empty or have several lines.
	Detail string
	// Command is the name of the AGI command, as "STREAM FILE".
	Command string
}

func (e *CommandError) Error() string {
	text := fmt.Sprintf("agibridge: %s: %s", e.Command, e.Code)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text + " (" + e.Code.advice() + ")"
}

// kindError is one of the five named errors with what happened.
type kindError struct {
	kind error
	text string
}

func (e *kindError) Error() string { return "agibridge: " + e.text }
func (e *kindError) Unwrap() error { return e.kind }

func hungUpError(command string) error {
	return &kindError{ErrHungUp, command + ": " + ErrHungUp.Error() + " (finish, and return)"}
}

func misuse(format string, args ...any) error {
	return &kindError{ErrMisuse, fmt.Sprintf(format, args...)}
}

func noInput(helper string, tries int) error {
	return &kindError{ErrNoInput, fmt.Sprintf("%s: %s in %d tries (return it to go on in the dialplan, or say goodbye)",
		helper, ErrNoInput, tries)}
}

// lostError says what broke the stream.
type lostError struct{ cause error }

func (e *lostError) Error() string {
	text := "agibridge: " + ErrCallLost.Error()
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text + " (return: the bridge gives the call to another service, or the route's `then` decides)"
}

func (e *lostError) Unwrap() []error {
	if e.cause == nil {
		return []error{ErrCallLost}
	}
	return []error{ErrCallLost, e.cause}
}

// givenUpError is what a command returns whose context was cancelled: both the context's error and its cause.
type givenUpError struct {
	command    string
	err, cause error
}

func (e *givenUpError) Error() string {
	text := "agibridge: " + e.command + ": " + e.err.Error()
	if e.cause != nil && !errors.Is(e.err, e.cause) {
		text += ": " + strings.TrimPrefix(e.cause.Error(), "agibridge: ")
	}
	return text
}

func (e *givenUpError) Unwrap() []error { return []error{e.err, e.cause} }

func enumName(names map[int32]string, number int32, prefix string) string {
	if name, known := names[number]; known {
		return strings.TrimPrefix(name, prefix)
	}
	return fmt.Sprintf("UNKNOWN(%d)", number)
}
