// Commands as text, and results as the contract's messages.

package agibridgetest

import (
	"errors"
	"strconv"
	"strings"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"github.com/agi-bridge/agi-bridge/clients/go/internal/hook"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Command is one that the handler sent.
type Command struct {
	// Name is as Asterisk has it, as "GET DATA".
	Name string
	// Fields are those that are set, by their names in the contract, as "max_digits"; durations as "1.5s", lists with commas.
	// reply_timeout and requires_success are the options of every command.
	Fields map[string]string

	order []string
}

// String gives the name and the fields in the contract's order, quoted where they must be.
func (c Command) String() string {
	var text strings.Builder
	text.WriteString(c.Name)
	for _, name := range c.order {
		value := c.Fields[name]
		if value == "" || strings.ContainsAny(value, " \"\\\n\r\t") {
			value = strconv.Quote(value)
		}
		text.WriteString(" " + name + "=" + value)
	}
	return text.String()
}

func commandOf(command *pb.Command) Command {
	its := Command{Name: hook.CommandName(command), Fields: map[string]string{}}
	put := func(name, value string) {
		its.Fields[name] = value
		its.order = append(its.order, name)
	}
	message := command.ProtoReflect()
	if kind := message.WhichOneof(message.Descriptor().Oneofs().ByName("command")); kind != nil {
		inner := message.Get(kind).Message()
		fields := inner.Descriptor().Fields()
		for i := range fields.Len() {
			if field := fields.Get(i); inner.Has(field) {
				put(string(field.Name()), valueText(field, inner.Get(field)))
			}
		}
	}
	if command.GetTimeout() != nil {
		put("reply_timeout", command.GetTimeout().AsDuration().String())
	}
	if command.GetRequiresSuccess() {
		put("requires_success", "true")
	}
	return its
}

func valueText(field protoreflect.FieldDescriptor, value protoreflect.Value) string {
	if field.IsList() {
		var texts []string
		for i := range value.List().Len() {
			texts = append(texts, value.List().Get(i).String())
		}
		return strings.Join(texts, ",")
	}
	if field.Enum() != nil {
		if known := field.Enum().Values().ByNumber(value.Enum()); known != nil {
			return string(known.Name())
		}
	}
	if field.Message() != nil {
		switch it := value.Message().Interface().(type) {
		case *durationpb.Duration:
			return it.AsDuration().String()
		case *timestamppb.Timestamp:
			return it.AsTime().Format("2006-01-02T15:04:05.999999999Z07:00")
		}
	}
	return value.String()
}

// success is what a command gives that is not scripted.
func success(command *pb.Command) agibridge.Result {
	switch command.GetCommand().(type) {
	case *pb.Command_StreamFile, *pb.Command_GetOption:
		return agibridge.Playback{EndKnown: true}
	case *pb.Command_ControlStreamFile:
		return agibridge.ControlledPlayback{}
	case *pb.Command_SayAlpha, *pb.Command_SayDate, *pb.Command_SayDateTime, *pb.Command_SayDigits, *pb.Command_SayNumber,
		*pb.Command_SayPhonetic, *pb.Command_SayTime, *pb.Command_WaitForDigit:
		return agibridge.Digit{}
	case *pb.Command_GetData:
		return agibridge.Digits{TimedOut: true}
	case *pb.Command_GetVariable, *pb.Command_GetFullVariable, *pb.Command_DatabaseGet:
		return agibridge.Value{}
	case *pb.Command_ChannelStatus:
		return agibridge.ChannelStatus{State: agibridge.ChannelUp}
	case *pb.Command_Exec:
		return agibridge.ExecResult{}
	case *pb.Command_RecordFile:
		return agibridge.Recording{End: agibridge.RecordingSilence, EndSamples: 8000}
	case *pb.Command_ReceiveChar, *pb.Command_ReceiveText:
		return agibridge.Text{}
	case *pb.Command_SpeechRecognize:
		return agibridge.Speech{End: agibridge.SpeechTimeout}
	case *pb.Command_Gosub:
		return agibridge.GosubResult{}
	case *pb.Command_Raw:
		return agibridge.RawReply{Code: 200, Result: "0", Text: "200 result=0"}
	default:
		return agibridge.Done{}
	}
}

// canBeStopped tells whether a bridge can stop the command while it runs.
func canBeStopped(command *pb.Command) bool {
	switch command.GetCommand().(type) {
	case *pb.Command_StreamFile, *pb.Command_ControlStreamFile, *pb.Command_GetOption, *pb.Command_GetData,
		*pb.Command_RecordFile, *pb.Command_WaitForDigit, *pb.Command_SayAlpha, *pb.Command_SayDate, *pb.Command_SayDateTime,
		*pb.Command_SayDigits, *pb.Command_SayNumber, *pb.Command_SayPhonetic, *pb.Command_SayTime:
		return true
	default:
		return false
	}
}

// interrupted is what a command gives that was stopped, and is not scripted.
func interrupted(command *pb.Command) agibridge.Result {
	switch command.GetCommand().(type) {
	case *pb.Command_GetData:
		return agibridge.Digits{}
	case *pb.Command_RecordFile:
		return agibridge.Recording{End: agibridge.RecordingDigit}
	default:
		return success(command)
	}
}

// commandNamed gives an empty command of that name; NOOP when there is none.
func commandNamed(name string) *pb.Command {
	fields := (&pb.Command{}).ProtoReflect().Descriptor().Oneofs().ByName("command").Fields()
	for i := range fields.Len() {
		command := &pb.Command{}
		its := command.ProtoReflect()
		its.Set(fields.Get(i), its.NewField(fields.Get(i)))
		if hook.CommandName(command) == name {
			return command
		}
	}
	return &pb.Command{Command: &pb.Command_Noop{Noop: &pb.Noop{}}}
}

func pastMessage(past agibridge.PastResult) *pb.CommandResult {
	var failed *agibridge.CommandError
	switch {
	case errors.As(past.Err, &failed):
		return failure(past.CommandID, pb.CommandError_Code(failed.Code), failed.Detail)
	case past.Err != nil:
		return failure(past.CommandID, pb.CommandError_CODE_HUNG_UP, past.Err.Error())
	default:
		return message(past.CommandID, past.Result)
	}
}

func failure(id uint32, code pb.CommandError_Code, detail string) *pb.CommandResult {
	failed := &pb.CommandError{Code: code, Detail: detail}
	return &pb.CommandResult{Id: id, Outcome: &pb.CommandResult_Error{Error: failed}}
}

// message is what the bridge would send for a result.
func message(id uint32, result agibridge.Result) *pb.CommandResult {
	sent := &pb.CommandResult{Id: id}
	switch it := result.(type) {
	case agibridge.Playback:
		its := &pb.PlaybackResult{Digit: it.Digit}
		if it.EndKnown {
			its.End = &pb.PlaybackResult_EndSamples{EndSamples: it.EndSamples}
		}
		sent.Outcome = &pb.CommandResult_Playback{Playback: its}
	case agibridge.ControlledPlayback:
		its := &pb.PlaybackResult{Digit: it.Digit}
		if it.EndKnown {
			its.End = &pb.PlaybackResult_EndMilliseconds{EndMilliseconds: uint32(it.End.Milliseconds())}
		}
		sent.Outcome = &pb.CommandResult_Playback{Playback: its}
	case agibridge.Digit:
		sent.Outcome = &pb.CommandResult_Digit{Digit: &pb.DigitResult{Digit: it.Digit}}
	case agibridge.Digits:
		sent.Outcome = &pb.CommandResult_Digits{Digits: &pb.DigitsResult{Digits: it.Digits, TimedOut: it.TimedOut}}
	case agibridge.Value:
		its := &pb.ValueResult{}
		if it.Exists {
			its.Value = proto.String(it.Value)
		}
		sent.Outcome = &pb.CommandResult_Value{Value: its}
	case agibridge.ChannelStatus:
		sent.Outcome = &pb.CommandResult_ChannelStatus{
			ChannelStatus: &pb.ChannelStatusResult{State: pb.ChannelState(it.State)},
		}
	case agibridge.ExecResult:
		sent.Outcome = &pb.CommandResult_Exec{Exec: &pb.ExecResult{Result: it.Result}}
	case agibridge.Recording:
		sent.Outcome = &pb.CommandResult_Recording{Recording: &pb.RecordingResult{
			End: pb.RecordingResult_End(it.End), Digit: it.Digit, EndSamples: it.EndSamples,
		}}
	case agibridge.Text:
		its := &pb.TextResult{}
		if it.Received {
			its.Text = proto.String(it.Text)
		}
		sent.Outcome = &pb.CommandResult_Text{Text: its}
	case agibridge.Speech:
		its := &pb.SpeechResult{End: pb.SpeechResult_End(it.End), Digit: it.Digit, EndSamples: it.EndSamples}
		for _, match := range it.Matches {
			its.Matches = append(its.Matches, &pb.SpeechResult_Match{Score: match.Score, Text: match.Text, Grammar: match.Grammar})
		}
		sent.Outcome = &pb.CommandResult_Speech{Speech: its}
	case agibridge.GosubResult:
		sent.Outcome = &pb.CommandResult_Gosub{
			Gosub: &pb.GosubResult{AbnormalExit: it.AbnormalExit, ReturnValue: it.ReturnValue},
		}
	case agibridge.RawReply:
		its := &pb.RawReply{Code: it.Code, Result: it.Result, Text: it.Text}
		if it.HasValue {
			its.Value = proto.String(it.Value)
		}
		sent.Outcome = &pb.CommandResult_Raw{Raw: its}
	default:
		sent.Outcome = &pb.CommandResult_Done{Done: &pb.Done{}}
	}
	return sent
}
