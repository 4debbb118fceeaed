// What commands give, in Go's types, and how it is read from the contract's messages.

package agibridge

import (
	"fmt"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
)

// Result is one of Done, Playback, ControlledPlayback, Digit, Digits, Value, ChannelStatus, ExecResult, Recording, Text,
// Speech, GosubResult and RawReply: what a command gave whose kind is known only at run time.
type Result interface{ isResult() }

// Done is the result of a command that says no more than that it succeeded.
type Done struct{}

// Playback is the result of STREAM FILE and GET OPTION.
type Playback struct {
	// Digit is the one that stopped the prompt; empty when it played to its end, or nothing was pressed.
	Digit string
	// EndSamples is where playback stopped, in samples of the file (8,000 a second for telephone audio).
	EndSamples uint32
	// EndKnown tells whether Asterisk said where.
	EndKnown bool
}

// ControlledPlayback is the result of CONTROL STREAM FILE.
type ControlledPlayback struct {
	// Digit is the one that stopped the prompt; empty when it played to its end.
	Digit string
	// End is where playback stopped, in whole milliseconds from the file's beginning.
	End time.Duration
	// EndKnown is false when it played to its end.
	EndKnown bool
}

// Digit is the result of the SAY commands and of WAIT FOR DIGIT.
type Digit struct {
	// Digit is the one that was pressed; empty when none was.
	Digit string
}

// Digits is the result of GET DATA.
type Digits struct {
	// Digits are as pressed, leading zeros kept, without the terminating #. May be empty.
	Digits string
	// TimedOut is true when the time ran out before # or MaxDigits.
	TimedOut bool
}

// Value is the result of GET VARIABLE, GET FULL VARIABLE and DATABASE GET.
type Value struct {
	// Value is exact, however long or odd it is.
	Value string
	// Exists is false when there is no such variable or key.
	Exists bool
}

// ChannelStatus is the result of CHANNEL STATUS.
type ChannelStatus struct {
	State ChannelState
}

// ChannelState is what Asterisk says of a channel. A number of a newer bridge is kept.
type ChannelState int32

// The states of a channel.
const (
	ChannelDown     = ChannelState(pb.ChannelState_CHANNEL_STATE_DOWN)
	ChannelReserved = ChannelState(pb.ChannelState_CHANNEL_STATE_RESERVED)
	ChannelOffHook  = ChannelState(pb.ChannelState_CHANNEL_STATE_OFF_HOOK)
	ChannelDialing  = ChannelState(pb.ChannelState_CHANNEL_STATE_DIALING)
	ChannelRing     = ChannelState(pb.ChannelState_CHANNEL_STATE_RING)
	ChannelRinging  = ChannelState(pb.ChannelState_CHANNEL_STATE_RINGING)
	ChannelUp       = ChannelState(pb.ChannelState_CHANNEL_STATE_UP)
	ChannelBusy     = ChannelState(pb.ChannelState_CHANNEL_STATE_BUSY)
	// NoSuchChannel: Asterisk knows no channel of that name.
	NoSuchChannel = ChannelState(pb.ChannelState_CHANNEL_STATE_NO_SUCH_CHANNEL)
)

// String gives the contract's name, as UP.
func (s ChannelState) String() string {
	return enumName(pb.ChannelState_name, int32(s), "CHANNEL_STATE_")
}

// ExecResult is the result of EXEC.
type ExecResult struct {
	// Result is what the application returned: most give 0, and -1 when the channel hung up.
	Result int32
}

// Recording is the result of RECORD FILE.
type Recording struct {
	End RecordingEnd
	// Digit is the one that stopped it, with RecordingDigit.
	Digit string
	// EndSamples is the length of the file, in samples.
	EndSamples uint32
}

// RecordingEnd says what stopped a recording. A number of a newer bridge is kept.
type RecordingEnd int32

// What stops a recording.
const (
	RecordingDigit   = RecordingEnd(pb.RecordingResult_END_DIGIT)
	RecordingTimeout = RecordingEnd(pb.RecordingResult_END_TIMEOUT)
	RecordingSilence = RecordingEnd(pb.RecordingResult_END_SILENCE)
	RecordingHangup  = RecordingEnd(pb.RecordingResult_END_HANGUP)
)

// String gives the contract's name, as SILENCE.
func (e RecordingEnd) String() string { return enumName(pb.RecordingResult_End_name, int32(e), "END_") }

// Text is the result of RECEIVE CHAR, one character, and of RECEIVE TEXT.
type Text struct {
	Text string
	// Received is false when none came in time.
	Received bool
}

// Speech is the result of SPEECH RECOGNIZE.
type Speech struct {
	End SpeechEnd
	// Matches are the engine's, best first as it gave them.
	Matches []SpeechMatch
	// Digit is the one that stopped it, with SpeechDigit.
	Digit string
	// EndSamples is where the prompt stopped.
	EndSamples uint32
}

// SpeechMatch is one thing that the caller may have said.
type SpeechMatch struct {
	// Score is 0 to 1000, as the engine has it.
	Score   int32
	Text    string
	Grammar string
}

// SpeechEnd says what stopped the recognition. A number of a newer bridge is kept.
type SpeechEnd int32

// What stops a recognition.
const (
	SpeechHeard   = SpeechEnd(pb.SpeechResult_END_SPEECH)
	SpeechDigit   = SpeechEnd(pb.SpeechResult_END_DIGIT)
	SpeechTimeout = SpeechEnd(pb.SpeechResult_END_TIMEOUT)
	SpeechHangup  = SpeechEnd(pb.SpeechResult_END_HANGUP)
)

// String gives the contract's name, as TIMEOUT.
func (e SpeechEnd) String() string { return enumName(pb.SpeechResult_End_name, int32(e), "END_") }

// GosubResult is the result of GOSUB.
type GosubResult struct {
	// AbnormalExit is true when the subroutine left by a jump or a hangup, and not by Return().
	AbnormalExit bool
	// ReturnValue is GOSUB_RETVAL.
	ReturnValue string
}

// RawReply is the result of Raw.
type RawReply struct {
	// Code is 200, 510, 511 or 520.
	Code int32
	// Result is what follows `result=`, up to the next space.
	Result string
	// Value is what stands inside the outer parentheses.
	Value string
	// HasValue is false when there are no parentheses.
	HasValue bool
	// Text is the reply as it came, several lines joined by LF.
	Text string
}

func (Done) isResult()               {}
func (Playback) isResult()           {}
func (ControlledPlayback) isResult() {}
func (Digit) isResult()              {}
func (Digits) isResult()             {}
func (Value) isResult()              {}
func (ChannelStatus) isResult()      {}
func (ExecResult) isResult()         {}
func (Recording) isResult()          {}
func (Text) isResult()               {}
func (Speech) isResult()             {}
func (GosubResult) isResult()        {}
func (RawReply) isResult()           {}

// resultOf reads a success; nil is one that only a newer library knows.
func resultOf(result *pb.CommandResult) Result {
	switch outcome := result.GetOutcome().(type) {
	case *pb.CommandResult_Done:
		return Done{}
	case *pb.CommandResult_Playback:
		return playback(outcome.Playback)
	case *pb.CommandResult_Digit:
		return Digit{outcome.Digit.GetDigit()}
	case *pb.CommandResult_Digits:
		return Digits{outcome.Digits.GetDigits(), outcome.Digits.GetTimedOut()}
	case *pb.CommandResult_Value:
		return Value{outcome.Value.GetValue(), outcome.Value != nil && outcome.Value.Value != nil}
	case *pb.CommandResult_ChannelStatus:
		return ChannelStatus{ChannelState(outcome.ChannelStatus.GetState())}
	case *pb.CommandResult_Exec:
		return ExecResult{outcome.Exec.GetResult()}
	case *pb.CommandResult_Recording:
		it := outcome.Recording
		return Recording{RecordingEnd(it.GetEnd()), it.GetDigit(), it.GetEndSamples()}
	case *pb.CommandResult_Text:
		return Text{outcome.Text.GetText(), outcome.Text != nil && outcome.Text.Text != nil}
	case *pb.CommandResult_Speech:
		return speech(outcome.Speech)
	case *pb.CommandResult_Gosub:
		return GosubResult{outcome.Gosub.GetAbnormalExit(), outcome.Gosub.GetReturnValue()}
	case *pb.CommandResult_Raw:
		it := outcome.Raw
		return RawReply{it.GetCode(), it.GetResult(), it.GetValue(), it != nil && it.Value != nil, it.GetText()}
	default:
		return nil
	}
}

func playback(result *pb.PlaybackResult) Result {
	switch end := result.GetEnd().(type) {
	case *pb.PlaybackResult_EndMilliseconds:
		return ControlledPlayback{result.GetDigit(), time.Duration(end.EndMilliseconds) * time.Millisecond, true}
	case *pb.PlaybackResult_EndSamples:
		return Playback{result.GetDigit(), end.EndSamples, true}
	default:
		return Playback{Digit: result.GetDigit()}
	}
}

func speech(result *pb.SpeechResult) Speech {
	matches := make([]SpeechMatch, 0, len(result.GetMatches()))
	for _, match := range result.GetMatches() {
		matches = append(matches, SpeechMatch{match.GetScore(), match.GetText(), match.GetGrammar()})
	}
	return Speech{SpeechEnd(result.GetEnd()), matches, result.GetDigit(), result.GetEndSamples()}
}

// resultAs reads a success of the kind that the command has.
func resultAs[T Result](command string, result *pb.CommandResult) (T, error) {
	var zero T
	found := resultOf(result)
	if it, ok := found.(T); ok {
		return it, nil
	}
	// The two playbacks are one message, and CONTROL STREAM FILE that played to its end has no position.
	if it, ok := found.(Playback); ok && !it.EndKnown {
		if it, ok := any(ControlledPlayback{Digit: it.Digit}).(T); ok {
			return it, nil
		}
	}
	return zero, &CommandError{CodeProtocolError,
		fmt.Sprintf("the bridge answered with %T where %T belongs; a newer version of agibridge may know it", found, zero), command}
}
