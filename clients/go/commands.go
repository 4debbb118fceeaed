// AGI's 47 commands, and Raw, as methods of Call. Each waits for Asterisk's answer. Errors: ErrHungUp when it needs a live
// channel and the caller is gone, *CommandError when it was refused or failed, ErrCallLost, ErrMisuse, or the context's.

package agibridge

import (
	"context"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
)

// TDD is a mode of text telephones.
type TDD int32

// The modes of text telephones.
const (
	TDDOff  = TDD(pb.TddMode_MODE_OFF)
	TDDOn   = TDD(pb.TddMode_MODE_ON)
	TDDMate = TDD(pb.TddMode_MODE_MATE)
)

// Answer answers the channel, unless it is up already.
func (c *Call) Answer(ctx context.Context, options ...CommandOption) error {
	return do(ctx, c, newAnswer(options))
}

// AsyncAGIBreak ends an async AGI session; it does nothing in one like this.
func (c *Call) AsyncAGIBreak(ctx context.Context, options ...CommandOption) error {
	return do(ctx, c, newAsyncAGIBreak(options))
}

// ChannelStatus gives the state of the channel, or of the one in OnChannel.
func (c *Call) ChannelStatus(ctx context.Context, options ...ChannelStatusOption) (ChannelStatus, error) {
	return run[ChannelStatus](ctx, c, newChannelStatus(options))
}

// ControlStreamFile plays a sound file, named without its ending, while the caller can wind it: ForwardDigit, RewindDigit and
// PauseDigit. A digit of EscapeDigits stops it. A missing file is CodeFailed.
func (c *Call) ControlStreamFile(ctx context.Context, file string, options ...ControlStreamFileOption) (ControlledPlayback, error) {
	return run[ControlledPlayback](ctx, c, newControlStreamFile(file, options))
}

// DatabaseDel deletes a key of Asterisk's database; CodeFailed when there is none. It runs after a hangup too.
func (c *Call) DatabaseDel(ctx context.Context, family, key string, options ...CommandOption) error {
	return do(ctx, c, newDatabaseDel(family, key, options))
}

// DatabaseDelTree deletes all keys below keyTree of a family; the whole family when it is empty. It runs after a hangup too.
func (c *Call) DatabaseDelTree(ctx context.Context, family, keyTree string, options ...CommandOption) error {
	return do(ctx, c, newDatabaseDelTree(family, keyTree, options))
}

// DatabaseGet reads a key of Asterisk's database. It runs after a hangup too.
func (c *Call) DatabaseGet(ctx context.Context, family, key string, options ...CommandOption) (Value, error) {
	return run[Value](ctx, c, newDatabaseGet(family, key, options))
}

// DatabasePut writes a key of Asterisk's database. It runs after a hangup too.
func (c *Call) DatabasePut(ctx context.Context, family, key, value string, options ...CommandOption) error {
	return do(ctx, c, newDatabasePut(family, key, value, options))
}

// Exec runs a dialplan application, as Dial, and waits for it, however long that is. A comma, quote or backslash in an argument
// reaches the application as it is. No such application is CodeNoSuchApplication. It runs after a hangup too.
func (c *Call) Exec(ctx context.Context, application string, arguments []string, options ...CommandOption) (ExecResult, error) {
	return run[ExecResult](ctx, c, newExec(application, arguments, options))
}

// GetData plays a sound file, named without its ending, and reads digits until #, MaxDigits or Timeout; what is pressed during
// the prompt counts. Timeout is before the first digit and between digits: 6 s and 2 s unless set. A missing file is CodeFailed.
func (c *Call) GetData(ctx context.Context, file string, options ...GetDataOption) (Digits, error) {
	return run[Digits](ctx, c, newGetData(file, options))
}

// GetFullVariable evaluates a dialplan expression, as ${CALLERID(num)}, on the channel, or on the one in OnChannel. It runs after a
// hangup too.
func (c *Call) GetFullVariable(ctx context.Context, expression string, options ...GetFullVariableOption) (Value, error) {
	return run[Value](ctx, c, newGetFullVariable(expression, options))
}

// GetOption plays a sound file, named without its ending, and waits Timeout (5 s unless set) for one digit of EscapeDigits. A
// missing file is CodeFailed.
func (c *Call) GetOption(ctx context.Context, file string, options ...GetOptionOption) (Playback, error) {
	return run[Playback](ctx, c, newGetOption(file, options))
}

// GetVariable reads a channel variable or function, as DIALSTATUS or CALLERID(num), exactly. It runs after a hangup too.
func (c *Call) GetVariable(ctx context.Context, name string, options ...CommandOption) (Value, error) {
	return run[Value](ctx, c, newGetVariable(name, options))
}

// Gosub runs a dialplan subroutine and waits for its Return(). priority is a number or a label. No such place is CodeFailed.
// OnProgress is told when it begins.
func (c *Call) Gosub(ctx context.Context, dialplan, extension, priority string, arguments []string, options ...CommandOption) (GosubResult, error) {
	return run[GosubResult](ctx, c, newGosub(dialplan, extension, priority, arguments, options))
}

// HangUp hangs up the channel, or the one in OnChannel. To end the call by it, End with ThenHangUp is simpler.
func (c *Call) HangUp(ctx context.Context, options ...HangUpOption) error {
	return do(ctx, c, newHangUp(options))
}

// Noop does nothing; Asterisk may log the text. It runs after a hangup too.
func (c *Call) Noop(ctx context.Context, text string, options ...CommandOption) error {
	return do(ctx, c, newNoop(text, options))
}

// ReceiveChar waits for one character of text from the caller, without limit unless Timeout is set. Few channels have text.
func (c *Call) ReceiveChar(ctx context.Context, options ...ReceiveOption) (Text, error) {
	return run[Text](ctx, c, newReceiveChar(options))
}

// ReceiveText waits for text from the caller, without limit unless Timeout is set. Few channels have text.
func (c *Call) ReceiveText(ctx context.Context, options ...ReceiveOption) (Text, error) {
	return run[Text](ctx, c, newReceiveText(options))
}

// RecordFile records the caller into a file, named without its ending; format, as wav or gsm, is the ending too. A digit of
// EscapeDigits, Timeout (no limit unless set) or Silence stops it. A hangup during it is ErrHungUp; what was recorded is kept.
func (c *Call) RecordFile(ctx context.Context, file, format string, options ...RecordFileOption) (Recording, error) {
	return run[Recording](ctx, c, newRecordFile(file, format, options))
}

// SayAlpha spells letters, digits and signs. A digit of EscapeDigits stops it.
func (c *Call) SayAlpha(ctx context.Context, text string, options ...SayAlphaOption) (Digit, error) {
	return run[Digit](ctx, c, newSayAlpha(text, options))
}

// SayDate says the date in the time zone of Asterisk's machine. A digit of EscapeDigits stops it.
func (c *Call) SayDate(ctx context.Context, date time.Time, options ...SayOption) (Digit, error) {
	return run[Digit](ctx, c, newSayDate(date, options))
}

// SayDateTime says date and time, in Format and TimeZone. A digit of EscapeDigits stops it.
func (c *Call) SayDateTime(ctx context.Context, at time.Time, options ...SayDateTimeOption) (Digit, error) {
	return run[Digit](ctx, c, newSayDateTime(at, options))
}

// SayDigits says digits one by one. A digit of EscapeDigits stops it.
func (c *Call) SayDigits(ctx context.Context, digits string, options ...SayOption) (Digit, error) {
	return run[Digit](ctx, c, newSayDigits(digits, options))
}

// SayNumber says a whole number. A digit of EscapeDigits stops it.
func (c *Call) SayNumber(ctx context.Context, number int32, options ...SayNumberOption) (Digit, error) {
	return run[Digit](ctx, c, newSayNumber(number, options))
}

// SayPhonetic spells with words, as alpha, bravo. A digit of EscapeDigits stops it.
func (c *Call) SayPhonetic(ctx context.Context, text string, options ...SayOption) (Digit, error) {
	return run[Digit](ctx, c, newSayPhonetic(text, options))
}

// SayTime says the time of day in the time zone of Asterisk's machine. A digit of EscapeDigits stops it.
func (c *Call) SayTime(ctx context.Context, at time.Time, options ...SayOption) (Digit, error) {
	return run[Digit](ctx, c, newSayTime(at, options))
}

// SendImage sends an image, named without its ending, where the channel has images; elsewhere it does nothing.
func (c *Call) SendImage(ctx context.Context, image string, options ...CommandOption) error {
	return do(ctx, c, newSendImage(image, options))
}

// SendText sends text, where the channel has text; elsewhere it does nothing.
func (c *Call) SendText(ctx context.Context, text string, options ...CommandOption) error {
	return do(ctx, c, newSendText(text, options))
}

// SetAutoHangup hangs the channel up after whole seconds from now; 0 takes that back.
func (c *Call) SetAutoHangup(ctx context.Context, after time.Duration, options ...CommandOption) error {
	return do(ctx, c, newSetAutoHangup(after, options))
}

// SetCallerID sets the caller's name and number.
func (c *Call) SetCallerID(ctx context.Context, name, number string, options ...CommandOption) error {
	return do(ctx, c, newSetCallerID(name, number, options))
}

// SetContext sets where the dialplan goes on when the session ends. ThenGoto of End does all three at once.
func (c *Call) SetContext(ctx context.Context, dialplan string, options ...CommandOption) error {
	return do(ctx, c, newSetContext(dialplan, options))
}

// SetExtension sets where the dialplan goes on when the session ends.
func (c *Call) SetExtension(ctx context.Context, extension string, options ...CommandOption) error {
	return do(ctx, c, newSetExtension(extension, options))
}

// SetMusic plays music on hold, or stops it.
func (c *Call) SetMusic(ctx context.Context, on bool, options ...SetMusicOption) error {
	return do(ctx, c, newSetMusic(on, options))
}

// SetPriority sets where the dialplan goes on when the session ends: a number or a label.
func (c *Call) SetPriority(ctx context.Context, priority string, options ...CommandOption) error {
	return do(ctx, c, newSetPriority(priority, options))
}

// SetVariable sets a channel variable or function, as CDR(userfield). It runs after a hangup too.
func (c *Call) SetVariable(ctx context.Context, name, value string, options ...CommandOption) error {
	return do(ctx, c, newSetVariable(name, value, options))
}

// SpeechActivateGrammar activates a loaded grammar.
func (c *Call) SpeechActivateGrammar(ctx context.Context, grammar string, options ...CommandOption) error {
	return do(ctx, c, newSpeechActivateGrammar(grammar, options))
}

// SpeechCreate begins speech recognition with an engine; CodeFailed when Asterisk has none of that name.
func (c *Call) SpeechCreate(ctx context.Context, engine string, options ...CommandOption) error {
	return do(ctx, c, newSpeechCreate(engine, options))
}

// SpeechDeactivateGrammar deactivates a grammar.
func (c *Call) SpeechDeactivateGrammar(ctx context.Context, grammar string, options ...CommandOption) error {
	return do(ctx, c, newSpeechDeactivateGrammar(grammar, options))
}

// SpeechDestroy ends speech recognition. It runs after a hangup too.
func (c *Call) SpeechDestroy(ctx context.Context, options ...CommandOption) error {
	return do(ctx, c, newSpeechDestroy(options))
}

// SpeechLoadGrammar loads a grammar from a file of Asterisk's machine.
func (c *Call) SpeechLoadGrammar(ctx context.Context, grammar, path string, options ...CommandOption) error {
	return do(ctx, c, newSpeechLoadGrammar(grammar, path, options))
}

// SpeechRecognize plays a prompt and listens, without limit unless Timeout is set, in whole seconds.
func (c *Call) SpeechRecognize(ctx context.Context, prompt string, options ...SpeechRecognizeOption) (Speech, error) {
	return run[Speech](ctx, c, newSpeechRecognize(prompt, options))
}

// SpeechSet sets a setting of the speech engine.
func (c *Call) SpeechSet(ctx context.Context, name, value string, options ...CommandOption) error {
	return do(ctx, c, newSpeechSet(name, value, options))
}

// SpeechUnloadGrammar unloads a grammar. It runs after a hangup too.
func (c *Call) SpeechUnloadGrammar(ctx context.Context, grammar string, options ...CommandOption) error {
	return do(ctx, c, newSpeechUnloadGrammar(grammar, options))
}

// StreamFile plays a sound file, named without its ending, to its end or a digit of EscapeDigits. A missing file is CodeFailed.
func (c *Call) StreamFile(ctx context.Context, file string, options ...StreamFileOption) (Playback, error) {
	return run[Playback](ctx, c, newStreamFile(file, options))
}

// TDDMode turns the transmission of text telephones on or off; CodeFailed where the channel cannot.
func (c *Call) TDDMode(ctx context.Context, mode TDD, options ...CommandOption) error {
	return do(ctx, c, newTDDMode(mode, options))
}

// Verbose writes to Asterisk's log, at VerboseLevel. It runs after a hangup too.
func (c *Call) Verbose(ctx context.Context, text string, options ...VerboseOption) error {
	return do(ctx, c, newVerbose(text, options))
}

// WaitForDigit waits for one digit, without limit unless Timeout is set.
func (c *Call) WaitForDigit(ctx context.Context, options ...ReceiveOption) (Digit, error) {
	return run[Digit](ctx, c, newWaitForDigit(options))
}

// Raw sends a line as it is, for a command that this package does not know. Asterisk's refusal (510, 520) is a reply here, no
// error. Lines with a line end, and those that start with `failure`, are CodeInvalidArgument.
func (c *Call) Raw(ctx context.Context, line string, options ...CommandOption) (RawReply, error) {
	return run[RawReply](ctx, c, newRaw(line, options))
}
