// The contract's message of each command, with its options.

package agibridge

import (
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func newAnswer(options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_Answer{Answer: &pb.Answer{}}}, options)
}

func newAsyncAGIBreak(options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_AsyncAgiBreak{AsyncAgiBreak: &pb.AsyncAgiBreak{}}}, options)
}

func newChannelStatus(options []ChannelStatusOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_ChannelStatus{ChannelStatus: &pb.GetChannelStatus{}}}, options)
}

func newControlStreamFile(file string, options []ControlStreamFileOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_ControlStreamFile{ControlStreamFile: &pb.ControlStreamFile{File: file}}}, options)
}

func newDatabaseDel(family, key string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_DatabaseDel{DatabaseDel: &pb.DatabaseDel{Family: family, Key: key}}}, options)
}

func newDatabaseDelTree(family, keyTree string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_DatabaseDelTree{DatabaseDelTree: &pb.DatabaseDelTree{Family: family, KeyTree: keyTree}}}, options)
}

func newDatabaseGet(family, key string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_DatabaseGet{DatabaseGet: &pb.DatabaseGet{Family: family, Key: key}}}, options)
}

func newDatabasePut(family, key, value string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_DatabasePut{DatabasePut: &pb.DatabasePut{Family: family, Key: key, Value: value}}}, options)
}

func newExec(application string, arguments []string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_Exec{Exec: &pb.Exec{Application: application, Arguments: arguments}}}, options)
}

func newGetData(file string, options []GetDataOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_GetData{GetData: &pb.GetData{File: file}}}, options)
}

func newGetFullVariable(expression string, options []GetFullVariableOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_GetFullVariable{GetFullVariable: &pb.GetFullVariable{Expression: expression}}}, options)
}

func newGetOption(file string, options []GetOptionOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_GetOption{GetOption: &pb.GetOption{File: file}}}, options)
}

func newGetVariable(name string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_GetVariable{GetVariable: &pb.GetVariable{Name: name}}}, options)
}

func newGosub(dialplan, extension, priority string, arguments []string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_Gosub{Gosub: &pb.Gosub{Context: dialplan, Extension: extension, Priority: priority, Arguments: arguments}}}, options)
}

func newHangUp(options []HangUpOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_HangUp{HangUp: &pb.HangUp{}}}, options)
}

func newNoop(text string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_Noop{Noop: &pb.Noop{Text: text}}}, options)
}

func newReceiveChar(options []ReceiveOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_ReceiveChar{ReceiveChar: &pb.ReceiveChar{}}}, options)
}

func newReceiveText(options []ReceiveOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_ReceiveText{ReceiveText: &pb.ReceiveText{}}}, options)
}

func newRecordFile(file, format string, options []RecordFileOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_RecordFile{RecordFile: &pb.RecordFile{File: file, Format: format}}}, options)
}

func newSayAlpha(text string, options []SayAlphaOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SayAlpha{SayAlpha: &pb.SayAlpha{Text: text}}}, options)
}

func newSayDate(date time.Time, options []SayOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SayDate{SayDate: &pb.SayDate{Date: timestamppb.New(date)}}}, options)
}

func newSayDateTime(at time.Time, options []SayDateTimeOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SayDateTime{SayDateTime: &pb.SayDateTime{Time: timestamppb.New(at)}}}, options)
}

func newSayDigits(digits string, options []SayOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SayDigits{SayDigits: &pb.SayDigits{Digits: digits}}}, options)
}

func newSayNumber(number int32, options []SayNumberOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SayNumber{SayNumber: &pb.SayNumber{Number: number}}}, options)
}

func newSayPhonetic(text string, options []SayOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SayPhonetic{SayPhonetic: &pb.SayPhonetic{Text: text}}}, options)
}

func newSayTime(at time.Time, options []SayOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SayTime{SayTime: &pb.SayTime{Time: timestamppb.New(at)}}}, options)
}

func newSendImage(image string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SendImage{SendImage: &pb.SendImage{Image: image}}}, options)
}

func newSendText(text string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SendText{SendText: &pb.SendText{Text: text}}}, options)
}

func newSetAutoHangup(after time.Duration, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SetAutoHangup{SetAutoHangup: &pb.SetAutoHangup{After: durationpb.New(after)}}}, options)
}

func newSetCallerID(name, number string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SetCallerId{SetCallerId: &pb.SetCallerId{Name: name, Number: number}}}, options)
}

func newSetContext(dialplan string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SetContext{SetContext: &pb.SetContext{Context: dialplan}}}, options)
}

func newSetExtension(extension string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SetExtension{SetExtension: &pb.SetExtension{Extension: extension}}}, options)
}

func newSetMusic(on bool, options []SetMusicOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SetMusic{SetMusic: &pb.SetMusic{On: on}}}, options)
}

func newSetPriority(priority string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SetPriority{SetPriority: &pb.SetPriority{Priority: priority}}}, options)
}

func newSetVariable(name, value string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SetVariable{SetVariable: &pb.SetVariable{Name: name, Value: value}}}, options)
}

func newSpeechActivateGrammar(grammar string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SpeechActivateGrammar{SpeechActivateGrammar: &pb.SpeechActivateGrammar{Grammar: grammar}}}, options)
}

func newSpeechCreate(engine string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SpeechCreate{SpeechCreate: &pb.SpeechCreate{Engine: engine}}}, options)
}

func newSpeechDeactivateGrammar(grammar string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SpeechDeactivateGrammar{SpeechDeactivateGrammar: &pb.SpeechDeactivateGrammar{Grammar: grammar}}}, options)
}

func newSpeechDestroy(options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SpeechDestroy{SpeechDestroy: &pb.SpeechDestroy{}}}, options)
}

func newSpeechLoadGrammar(grammar, path string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SpeechLoadGrammar{SpeechLoadGrammar: &pb.SpeechLoadGrammar{Grammar: grammar, Path: path}}}, options)
}

func newSpeechRecognize(prompt string, options []SpeechRecognizeOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SpeechRecognize{SpeechRecognize: &pb.SpeechRecognize{Prompt: prompt}}}, options)
}

func newSpeechSet(name, value string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SpeechSet{SpeechSet: &pb.SpeechSet{Name: name, Value: value}}}, options)
}

func newSpeechUnloadGrammar(grammar string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_SpeechUnloadGrammar{SpeechUnloadGrammar: &pb.SpeechUnloadGrammar{Grammar: grammar}}}, options)
}

func newStreamFile(file string, options []StreamFileOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_StreamFile{StreamFile: &pb.StreamFile{File: file}}}, options)
}

func newTDDMode(mode TDD, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_TddMode{TddMode: &pb.TddMode{Mode: pb.TddMode_Mode(mode)}}}, options)
}

func newVerbose(text string, options []VerboseOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_Verbose{Verbose: &pb.Verbose{Text: text}}}, options)
}

func newWaitForDigit(options []ReceiveOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_WaitForDigit{WaitForDigit: &pb.WaitForDigit{}}}, options)
}

func newRaw(line string, options []CommandOption) *pb.Command {
	return with(&pb.Command{Command: &pb.Command_Raw{Raw: &pb.RawCommand{Line: line}}}, options)
}
