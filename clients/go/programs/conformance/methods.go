// Every command by its name in the contract: the method of Call, and that of Batch.

package main

import (
	"context"
	"fmt"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
)

func callMethod(
	ctx context.Context, call *agibridge.Call, name string, f fields, every []agibridge.EveryOption,
) (agibridge.Result, error) {
	switch name {
	case "answer":
		return done(call.Answer(ctx, list[agibridge.CommandOption](every)...))
	case "asyncAgiBreak":
		return done(call.AsyncAGIBreak(ctx, list[agibridge.CommandOption](every)...))
	case "channelStatus":
		return result(call.ChannelStatus(ctx, channelStatusOptions(f, every)...))
	case "controlStreamFile":
		return result(call.ControlStreamFile(ctx, f.text("file"), controlStreamFileOptions(f, every)...))
	case "databaseDel":
		return done(call.DatabaseDel(ctx, f.text("family"), f.text("key"), list[agibridge.CommandOption](every)...))
	case "databaseDelTree":
		return done(call.DatabaseDelTree(ctx, f.text("family"), f.text("keyTree"), list[agibridge.CommandOption](every)...))
	case "databaseGet":
		return result(call.DatabaseGet(ctx, f.text("family"), f.text("key"), list[agibridge.CommandOption](every)...))
	case "databasePut":
		return done(call.DatabasePut(ctx, f.text("family"), f.text("key"), f.text("value"), list[agibridge.CommandOption](every)...))
	case "exec":
		return result(call.Exec(ctx, f.text("application"), f.texts("arguments"), list[agibridge.CommandOption](every)...))
	case "getData":
		return result(call.GetData(ctx, f.text("file"), getDataOptions(f, every)...))
	case "getFullVariable":
		return result(call.GetFullVariable(ctx, f.text("expression"), getFullVariableOptions(f, every)...))
	case "getOption":
		return result(call.GetOption(ctx, f.text("file"), getOptionOptions(f, every)...))
	case "getVariable":
		return result(call.GetVariable(ctx, f.text("name"), list[agibridge.CommandOption](every)...))
	case "gosub":
		return result(call.Gosub(ctx, f.text("context"), f.text("extension"), f.text("priority"), f.texts("arguments"), list[agibridge.CommandOption](every)...))
	case "hangUp":
		return done(call.HangUp(ctx, hangUpOptions(f, every)...))
	case "noop":
		return done(call.Noop(ctx, f.text("text"), list[agibridge.CommandOption](every)...))
	case "receiveChar":
		return result(call.ReceiveChar(ctx, receiveOptions(f, every)...))
	case "receiveText":
		return result(call.ReceiveText(ctx, receiveOptions(f, every)...))
	case "recordFile":
		return result(call.RecordFile(ctx, f.text("file"), f.text("format"), recordFileOptions(f, every)...))
	case "sayAlpha":
		return result(call.SayAlpha(ctx, f.text("text"), sayAlphaOptions(f, every)...))
	case "sayDate":
		return result(call.SayDate(ctx, f.moment("date"), sayOptions(f, every)...))
	case "sayDateTime":
		return result(call.SayDateTime(ctx, f.moment("time"), sayDateTimeOptions(f, every)...))
	case "sayDigits":
		return result(call.SayDigits(ctx, f.text("digits"), sayOptions(f, every)...))
	case "sayNumber":
		return result(call.SayNumber(ctx, int32(f.number("number")), sayNumberOptions(f, every)...))
	case "sayPhonetic":
		return result(call.SayPhonetic(ctx, f.text("text"), sayOptions(f, every)...))
	case "sayTime":
		return result(call.SayTime(ctx, f.moment("time"), sayOptions(f, every)...))
	case "sendImage":
		return done(call.SendImage(ctx, f.text("image"), list[agibridge.CommandOption](every)...))
	case "sendText":
		return done(call.SendText(ctx, f.text("text"), list[agibridge.CommandOption](every)...))
	case "setAutoHangup":
		return done(call.SetAutoHangup(ctx, f.duration("after"), list[agibridge.CommandOption](every)...))
	case "setCallerId":
		return done(call.SetCallerID(ctx, f.text("name"), f.text("number"), list[agibridge.CommandOption](every)...))
	case "setContext":
		return done(call.SetContext(ctx, f.text("context"), list[agibridge.CommandOption](every)...))
	case "setExtension":
		return done(call.SetExtension(ctx, f.text("extension"), list[agibridge.CommandOption](every)...))
	case "setMusic":
		return done(call.SetMusic(ctx, f.flag("on"), setMusicOptions(f, every)...))
	case "setPriority":
		return done(call.SetPriority(ctx, f.text("priority"), list[agibridge.CommandOption](every)...))
	case "setVariable":
		return done(call.SetVariable(ctx, f.text("name"), f.text("value"), list[agibridge.CommandOption](every)...))
	case "speechActivateGrammar":
		return done(call.SpeechActivateGrammar(ctx, f.text("grammar"), list[agibridge.CommandOption](every)...))
	case "speechCreate":
		return done(call.SpeechCreate(ctx, f.text("engine"), list[agibridge.CommandOption](every)...))
	case "speechDeactivateGrammar":
		return done(call.SpeechDeactivateGrammar(ctx, f.text("grammar"), list[agibridge.CommandOption](every)...))
	case "speechDestroy":
		return done(call.SpeechDestroy(ctx, list[agibridge.CommandOption](every)...))
	case "speechLoadGrammar":
		return done(call.SpeechLoadGrammar(ctx, f.text("grammar"), f.text("path"), list[agibridge.CommandOption](every)...))
	case "speechRecognize":
		return result(call.SpeechRecognize(ctx, f.text("prompt"), speechRecognizeOptions(f, every)...))
	case "speechSet":
		return done(call.SpeechSet(ctx, f.text("name"), f.text("value"), list[agibridge.CommandOption](every)...))
	case "speechUnloadGrammar":
		return done(call.SpeechUnloadGrammar(ctx, f.text("grammar"), list[agibridge.CommandOption](every)...))
	case "streamFile":
		return result(call.StreamFile(ctx, f.text("file"), streamFileOptions(f, every)...))
	case "tddMode":
		return done(call.TDDMode(ctx, textModes[f.text("mode")], list[agibridge.CommandOption](every)...))
	case "verbose":
		return done(call.Verbose(ctx, f.text("text"), verboseOptions(f, every)...))
	case "waitForDigit":
		return result(call.WaitForDigit(ctx, receiveOptions(f, every)...))
	case "raw":
		return result(call.Raw(ctx, f.text("line"), list[agibridge.CommandOption](every)...))
	default:
		panic(badScript{fmt.Errorf("no such command: %s", name)})
	}
}

func batchMethod(
	batch *agibridge.Batch, name string, f fields, every []agibridge.EveryOption,
) (func() (agibridge.Result, error), taken) {
	switch name {
	case "answer":
		return open(batch.Answer(list[agibridge.CommandOption](every)...))
	case "asyncAgiBreak":
		return open(batch.AsyncAGIBreak(list[agibridge.CommandOption](every)...))
	case "channelStatus":
		return open(batch.ChannelStatus(channelStatusOptions(f, every)...))
	case "controlStreamFile":
		return open(batch.ControlStreamFile(f.text("file"), controlStreamFileOptions(f, every)...))
	case "databaseDel":
		return open(batch.DatabaseDel(f.text("family"), f.text("key"), list[agibridge.CommandOption](every)...))
	case "databaseDelTree":
		return open(batch.DatabaseDelTree(f.text("family"), f.text("keyTree"), list[agibridge.CommandOption](every)...))
	case "databaseGet":
		return open(batch.DatabaseGet(f.text("family"), f.text("key"), list[agibridge.CommandOption](every)...))
	case "databasePut":
		return open(batch.DatabasePut(f.text("family"), f.text("key"), f.text("value"), list[agibridge.CommandOption](every)...))
	case "exec":
		return open(batch.Exec(f.text("application"), f.texts("arguments"), list[agibridge.CommandOption](every)...))
	case "getData":
		return open(batch.GetData(f.text("file"), getDataOptions(f, every)...))
	case "getFullVariable":
		return open(batch.GetFullVariable(f.text("expression"), getFullVariableOptions(f, every)...))
	case "getOption":
		return open(batch.GetOption(f.text("file"), getOptionOptions(f, every)...))
	case "getVariable":
		return open(batch.GetVariable(f.text("name"), list[agibridge.CommandOption](every)...))
	case "gosub":
		return open(batch.Gosub(f.text("context"), f.text("extension"), f.text("priority"), f.texts("arguments"), list[agibridge.CommandOption](every)...))
	case "hangUp":
		return open(batch.HangUp(hangUpOptions(f, every)...))
	case "noop":
		return open(batch.Noop(f.text("text"), list[agibridge.CommandOption](every)...))
	case "receiveChar":
		return open(batch.ReceiveChar(receiveOptions(f, every)...))
	case "receiveText":
		return open(batch.ReceiveText(receiveOptions(f, every)...))
	case "recordFile":
		return open(batch.RecordFile(f.text("file"), f.text("format"), recordFileOptions(f, every)...))
	case "sayAlpha":
		return open(batch.SayAlpha(f.text("text"), sayAlphaOptions(f, every)...))
	case "sayDate":
		return open(batch.SayDate(f.moment("date"), sayOptions(f, every)...))
	case "sayDateTime":
		return open(batch.SayDateTime(f.moment("time"), sayDateTimeOptions(f, every)...))
	case "sayDigits":
		return open(batch.SayDigits(f.text("digits"), sayOptions(f, every)...))
	case "sayNumber":
		return open(batch.SayNumber(int32(f.number("number")), sayNumberOptions(f, every)...))
	case "sayPhonetic":
		return open(batch.SayPhonetic(f.text("text"), sayOptions(f, every)...))
	case "sayTime":
		return open(batch.SayTime(f.moment("time"), sayOptions(f, every)...))
	case "sendImage":
		return open(batch.SendImage(f.text("image"), list[agibridge.CommandOption](every)...))
	case "sendText":
		return open(batch.SendText(f.text("text"), list[agibridge.CommandOption](every)...))
	case "setAutoHangup":
		return open(batch.SetAutoHangup(f.duration("after"), list[agibridge.CommandOption](every)...))
	case "setCallerId":
		return open(batch.SetCallerID(f.text("name"), f.text("number"), list[agibridge.CommandOption](every)...))
	case "setContext":
		return open(batch.SetContext(f.text("context"), list[agibridge.CommandOption](every)...))
	case "setExtension":
		return open(batch.SetExtension(f.text("extension"), list[agibridge.CommandOption](every)...))
	case "setMusic":
		return open(batch.SetMusic(f.flag("on"), setMusicOptions(f, every)...))
	case "setPriority":
		return open(batch.SetPriority(f.text("priority"), list[agibridge.CommandOption](every)...))
	case "setVariable":
		return open(batch.SetVariable(f.text("name"), f.text("value"), list[agibridge.CommandOption](every)...))
	case "speechActivateGrammar":
		return open(batch.SpeechActivateGrammar(f.text("grammar"), list[agibridge.CommandOption](every)...))
	case "speechCreate":
		return open(batch.SpeechCreate(f.text("engine"), list[agibridge.CommandOption](every)...))
	case "speechDeactivateGrammar":
		return open(batch.SpeechDeactivateGrammar(f.text("grammar"), list[agibridge.CommandOption](every)...))
	case "speechDestroy":
		return open(batch.SpeechDestroy(list[agibridge.CommandOption](every)...))
	case "speechLoadGrammar":
		return open(batch.SpeechLoadGrammar(f.text("grammar"), f.text("path"), list[agibridge.CommandOption](every)...))
	case "speechRecognize":
		return open(batch.SpeechRecognize(f.text("prompt"), speechRecognizeOptions(f, every)...))
	case "speechSet":
		return open(batch.SpeechSet(f.text("name"), f.text("value"), list[agibridge.CommandOption](every)...))
	case "speechUnloadGrammar":
		return open(batch.SpeechUnloadGrammar(f.text("grammar"), list[agibridge.CommandOption](every)...))
	case "streamFile":
		return open(batch.StreamFile(f.text("file"), streamFileOptions(f, every)...))
	case "tddMode":
		return open(batch.TDDMode(textModes[f.text("mode")], list[agibridge.CommandOption](every)...))
	case "verbose":
		return open(batch.Verbose(f.text("text"), verboseOptions(f, every)...))
	case "waitForDigit":
		return open(batch.WaitForDigit(receiveOptions(f, every)...))
	case "raw":
		return open(batch.Raw(f.text("line"), list[agibridge.CommandOption](every)...))
	default:
		panic(badScript{fmt.Errorf("no such command: %s", name)})
	}
}

func result[T agibridge.Result](it T, err error) (agibridge.Result, error) { return it, err }

func done(err error) (agibridge.Result, error) { return agibridge.Done{}, err }

func open[T agibridge.Result](it *agibridge.Pending[T]) (func() (agibridge.Result, error), taken) {
	return func() (agibridge.Result, error) { return result(it.Result()) }, it
}
