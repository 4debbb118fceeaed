// The commands as methods of Batch: those of Call, without waiting.

package agibridge

import "time"

// Answer adds what Call.Answer does.
func (b *Batch) Answer(options ...CommandOption) *Pending[Done] {
	return add[Done](b, newAnswer(options))
}

// AsyncAGIBreak adds what Call.AsyncAGIBreak does.
func (b *Batch) AsyncAGIBreak(options ...CommandOption) *Pending[Done] {
	return add[Done](b, newAsyncAGIBreak(options))
}

// ChannelStatus adds what Call.ChannelStatus does.
func (b *Batch) ChannelStatus(options ...ChannelStatusOption) *Pending[ChannelStatus] {
	return add[ChannelStatus](b, newChannelStatus(options))
}

// ControlStreamFile adds what Call.ControlStreamFile does.
func (b *Batch) ControlStreamFile(file string, options ...ControlStreamFileOption) *Pending[ControlledPlayback] {
	return add[ControlledPlayback](b, newControlStreamFile(file, options))
}

// DatabaseDel adds what Call.DatabaseDel does.
func (b *Batch) DatabaseDel(family, key string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newDatabaseDel(family, key, options))
}

// DatabaseDelTree adds what Call.DatabaseDelTree does.
func (b *Batch) DatabaseDelTree(family, keyTree string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newDatabaseDelTree(family, keyTree, options))
}

// DatabaseGet adds what Call.DatabaseGet does.
func (b *Batch) DatabaseGet(family, key string, options ...CommandOption) *Pending[Value] {
	return add[Value](b, newDatabaseGet(family, key, options))
}

// DatabasePut adds what Call.DatabasePut does.
func (b *Batch) DatabasePut(family, key, value string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newDatabasePut(family, key, value, options))
}

// Exec adds what Call.Exec does.
func (b *Batch) Exec(application string, arguments []string, options ...CommandOption) *Pending[ExecResult] {
	return add[ExecResult](b, newExec(application, arguments, options))
}

// GetData adds what Call.GetData does.
func (b *Batch) GetData(file string, options ...GetDataOption) *Pending[Digits] {
	return add[Digits](b, newGetData(file, options))
}

// GetFullVariable adds what Call.GetFullVariable does.
func (b *Batch) GetFullVariable(expression string, options ...GetFullVariableOption) *Pending[Value] {
	return add[Value](b, newGetFullVariable(expression, options))
}

// GetOption adds what Call.GetOption does.
func (b *Batch) GetOption(file string, options ...GetOptionOption) *Pending[Playback] {
	return add[Playback](b, newGetOption(file, options))
}

// GetVariable adds what Call.GetVariable does.
func (b *Batch) GetVariable(name string, options ...CommandOption) *Pending[Value] {
	return add[Value](b, newGetVariable(name, options))
}

// Gosub adds what Call.Gosub does.
func (b *Batch) Gosub(dialplan, extension, priority string, arguments []string, options ...CommandOption) *Pending[GosubResult] {
	return add[GosubResult](b, newGosub(dialplan, extension, priority, arguments, options))
}

// HangUp adds what Call.HangUp does.
func (b *Batch) HangUp(options ...HangUpOption) *Pending[Done] {
	return add[Done](b, newHangUp(options))
}

// Noop adds what Call.Noop does.
func (b *Batch) Noop(text string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newNoop(text, options))
}

// ReceiveChar adds what Call.ReceiveChar does.
func (b *Batch) ReceiveChar(options ...ReceiveOption) *Pending[Text] {
	return add[Text](b, newReceiveChar(options))
}

// ReceiveText adds what Call.ReceiveText does.
func (b *Batch) ReceiveText(options ...ReceiveOption) *Pending[Text] {
	return add[Text](b, newReceiveText(options))
}

// RecordFile adds what Call.RecordFile does.
func (b *Batch) RecordFile(file, format string, options ...RecordFileOption) *Pending[Recording] {
	return add[Recording](b, newRecordFile(file, format, options))
}

// SayAlpha adds what Call.SayAlpha does.
func (b *Batch) SayAlpha(text string, options ...SayAlphaOption) *Pending[Digit] {
	return add[Digit](b, newSayAlpha(text, options))
}

// SayDate adds what Call.SayDate does.
func (b *Batch) SayDate(date time.Time, options ...SayOption) *Pending[Digit] {
	return add[Digit](b, newSayDate(date, options))
}

// SayDateTime adds what Call.SayDateTime does.
func (b *Batch) SayDateTime(at time.Time, options ...SayDateTimeOption) *Pending[Digit] {
	return add[Digit](b, newSayDateTime(at, options))
}

// SayDigits adds what Call.SayDigits does.
func (b *Batch) SayDigits(digits string, options ...SayOption) *Pending[Digit] {
	return add[Digit](b, newSayDigits(digits, options))
}

// SayNumber adds what Call.SayNumber does.
func (b *Batch) SayNumber(number int32, options ...SayNumberOption) *Pending[Digit] {
	return add[Digit](b, newSayNumber(number, options))
}

// SayPhonetic adds what Call.SayPhonetic does.
func (b *Batch) SayPhonetic(text string, options ...SayOption) *Pending[Digit] {
	return add[Digit](b, newSayPhonetic(text, options))
}

// SayTime adds what Call.SayTime does.
func (b *Batch) SayTime(at time.Time, options ...SayOption) *Pending[Digit] {
	return add[Digit](b, newSayTime(at, options))
}

// SendImage adds what Call.SendImage does.
func (b *Batch) SendImage(image string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSendImage(image, options))
}

// SendText adds what Call.SendText does.
func (b *Batch) SendText(text string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSendText(text, options))
}

// SetAutoHangup adds what Call.SetAutoHangup does.
func (b *Batch) SetAutoHangup(after time.Duration, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSetAutoHangup(after, options))
}

// SetCallerID adds what Call.SetCallerID does.
func (b *Batch) SetCallerID(name, number string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSetCallerID(name, number, options))
}

// SetContext adds what Call.SetContext does.
func (b *Batch) SetContext(dialplan string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSetContext(dialplan, options))
}

// SetExtension adds what Call.SetExtension does.
func (b *Batch) SetExtension(extension string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSetExtension(extension, options))
}

// SetMusic adds what Call.SetMusic does.
func (b *Batch) SetMusic(on bool, options ...SetMusicOption) *Pending[Done] {
	return add[Done](b, newSetMusic(on, options))
}

// SetPriority adds what Call.SetPriority does.
func (b *Batch) SetPriority(priority string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSetPriority(priority, options))
}

// SetVariable adds what Call.SetVariable does.
func (b *Batch) SetVariable(name, value string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSetVariable(name, value, options))
}

// SpeechActivateGrammar adds what Call.SpeechActivateGrammar does.
func (b *Batch) SpeechActivateGrammar(grammar string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSpeechActivateGrammar(grammar, options))
}

// SpeechCreate adds what Call.SpeechCreate does.
func (b *Batch) SpeechCreate(engine string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSpeechCreate(engine, options))
}

// SpeechDeactivateGrammar adds what Call.SpeechDeactivateGrammar does.
func (b *Batch) SpeechDeactivateGrammar(grammar string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSpeechDeactivateGrammar(grammar, options))
}

// SpeechDestroy adds what Call.SpeechDestroy does.
func (b *Batch) SpeechDestroy(options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSpeechDestroy(options))
}

// SpeechLoadGrammar adds what Call.SpeechLoadGrammar does.
func (b *Batch) SpeechLoadGrammar(grammar, path string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSpeechLoadGrammar(grammar, path, options))
}

// SpeechRecognize adds what Call.SpeechRecognize does.
func (b *Batch) SpeechRecognize(prompt string, options ...SpeechRecognizeOption) *Pending[Speech] {
	return add[Speech](b, newSpeechRecognize(prompt, options))
}

// SpeechSet adds what Call.SpeechSet does.
func (b *Batch) SpeechSet(name, value string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSpeechSet(name, value, options))
}

// SpeechUnloadGrammar adds what Call.SpeechUnloadGrammar does.
func (b *Batch) SpeechUnloadGrammar(grammar string, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newSpeechUnloadGrammar(grammar, options))
}

// StreamFile adds what Call.StreamFile does.
func (b *Batch) StreamFile(file string, options ...StreamFileOption) *Pending[Playback] {
	return add[Playback](b, newStreamFile(file, options))
}

// TDDMode adds what Call.TDDMode does.
func (b *Batch) TDDMode(mode TDD, options ...CommandOption) *Pending[Done] {
	return add[Done](b, newTDDMode(mode, options))
}

// Verbose adds what Call.Verbose does.
func (b *Batch) Verbose(text string, options ...VerboseOption) *Pending[Done] {
	return add[Done](b, newVerbose(text, options))
}

// WaitForDigit adds what Call.WaitForDigit does.
func (b *Batch) WaitForDigit(options ...ReceiveOption) *Pending[Digit] {
	return add[Digit](b, newWaitForDigit(options))
}

// Raw adds what Call.Raw does.
func (b *Batch) Raw(line string, options ...CommandOption) *Pending[RawReply] {
	return add[RawReply](b, newRaw(line, options))
}
