// The options of commands. Each says by its type which commands take it, so that a wrong one does not compile.

package agibridge

import (
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// commandSetting is what all options of commands have.
type commandSetting interface{ set(*pb.Command) }

// The options that a command takes. Those without an interface here take CommandOption.
type (
	// CommandOption is one that every command takes: ReplyTimeout and RequiresSuccess.
	CommandOption interface {
		commandSetting
		everyCommand()
	}
	// ChannelStatusOption is an option of ChannelStatus.
	ChannelStatusOption interface {
		commandSetting
		channelStatus()
	}
	// ControlStreamFileOption is an option of ControlStreamFile.
	ControlStreamFileOption interface {
		commandSetting
		controlStreamFile()
	}
	// GetDataOption is an option of GetData.
	GetDataOption interface {
		commandSetting
		getData()
	}
	// GetFullVariableOption is an option of GetFullVariable.
	GetFullVariableOption interface {
		commandSetting
		getFullVariable()
	}
	// GetOptionOption is an option of GetOption.
	GetOptionOption interface {
		commandSetting
		getOption()
	}
	// HangUpOption is an option of HangUp.
	HangUpOption interface {
		commandSetting
		hangUp()
	}
	// ReceiveOption is an option of ReceiveChar, ReceiveText and WaitForDigit.
	ReceiveOption interface {
		commandSetting
		receive()
	}
	// RecordFileOption is an option of RecordFile.
	RecordFileOption interface {
		commandSetting
		recordFile()
	}
	// SayOption is an option of the SAY commands that have no other options.
	SayOption interface {
		commandSetting
		say()
	}
	// SayAlphaOption is an option of SayAlpha.
	SayAlphaOption interface {
		commandSetting
		sayAlpha()
	}
	// SayDateTimeOption is an option of SayDateTime.
	SayDateTimeOption interface {
		commandSetting
		sayDateTime()
	}
	// SayNumberOption is an option of SayNumber.
	SayNumberOption interface {
		commandSetting
		sayNumber()
	}
	// SetMusicOption is an option of SetMusic.
	SetMusicOption interface {
		commandSetting
		setMusic()
	}
	// SpeechRecognizeOption is an option of SpeechRecognize.
	SpeechRecognizeOption interface {
		commandSetting
		speechRecognize()
	}
	// StreamFileOption is an option of StreamFile.
	StreamFileOption interface {
		commandSetting
		streamFile()
	}
	// VerboseOption is an option of Verbose.
	VerboseOption interface {
		commandSetting
		verbose()
	}
)

// The types of options that several commands take.
type (
	// EveryOption is taken by every command.
	EveryOption interface {
		CommandOption
		ChannelStatusOption
		ControlStreamFileOption
		GetDataOption
		GetFullVariableOption
		GetOptionOption
		HangUpOption
		ReceiveOption
		RecordFileOption
		SayOption
		SayAlphaOption
		SayDateTimeOption
		SayNumberOption
		SetMusicOption
		SpeechRecognizeOption
		StreamFileOption
		VerboseOption
	}
	// TimeoutOption is taken by what waits for the caller.
	TimeoutOption interface {
		GetDataOption
		GetOptionOption
		ReceiveOption
		RecordFileOption
		SpeechRecognizeOption
		AskOption
		MenuOption
		ConfirmOption
		DigitOption
	}
	// EscapeDigitsOption is taken by what a digit can stop.
	EscapeDigitsOption interface {
		ControlStreamFileOption
		GetOptionOption
		RecordFileOption
		SayOption
		SayAlphaOption
		SayDateTimeOption
		SayNumberOption
		StreamFileOption
		PlayOption
	}
	// OffsetOption is taken by what can begin within a file.
	OffsetOption interface {
		RecordFileOption
		SpeechRecognizeOption
		StreamFileOption
	}
	// ChannelOption is taken by what can be about another channel.
	ChannelOption interface {
		ChannelStatusOption
		GetFullVariableOption
		HangUpOption
	}
	// MaxDigitsOption is taken by what asks for digits.
	MaxDigitsOption interface {
		GetDataOption
		AskOption
	}
)

// option is every option; the types above say where it may be used.
type option struct {
	command func(*pb.Command)
	prompt  func(*prompt)
}

func (o option) set(command *pb.Command) { o.command(command) }
func (o option) setPrompt(it *prompt)    { o.prompt(it) }

func (option) everyCommand()      {}
func (option) channelStatus()     {}
func (option) controlStreamFile() {}
func (option) getData()           {}
func (option) getFullVariable()   {}
func (option) getOption()         {}
func (option) hangUp()            {}
func (option) receive()           {}
func (option) recordFile()        {}
func (option) say()               {}
func (option) sayAlpha()          {}
func (option) sayDateTime()       {}
func (option) sayNumber()         {}
func (option) setMusic()          {}
func (option) speechRecognize()   {}
func (option) streamFile()        {}
func (option) verbose()           {}
func (option) play()              {}
func (option) ask()               {}
func (option) menu()              {}
func (option) confirm()           {}
func (option) nextDigit()         {}

// with applies options to a command.
func with[O commandSetting](command *pb.Command, options []O) *pb.Command {
	for _, it := range options {
		if any(it) != nil {
			it.set(command)
		}
	}
	return command
}

// ReplyTimeout is how long the bridge waits for Asterisk's reply, from the moment when the command is written to Asterisk;
// then the command fails with CodeTimedOut. AGI cannot take a command back: the next one waits until Asterisk has answered.
// There is no limit unless set.
func ReplyTimeout(d time.Duration) EveryOption {
	return option{command: func(c *pb.Command) { c.Timeout = durationpb.New(d) }}
}

// RequiresSuccess skips the command when the one before it did not succeed: CodeSkipped.
func RequiresSuccess() EveryOption {
	return option{command: func(c *pb.Command) { c.RequiresSuccess = true }}
}

// Timeout is how long to wait for the caller, from the prompt's end; for NextDigit, from the end of the last command that was sent. What happens without it, the command says; for
// SpeechRecognize it is in whole seconds.
func Timeout(d time.Duration) TimeoutOption {
	return option{
		command: func(c *pb.Command) {
			timeout := durationpb.New(d)
			switch it := c.Command.(type) {
			case *pb.Command_GetData:
				it.GetData.Timeout = timeout
			case *pb.Command_GetOption:
				it.GetOption.Timeout = timeout
			case *pb.Command_ReceiveChar:
				it.ReceiveChar.Timeout = timeout
			case *pb.Command_ReceiveText:
				it.ReceiveText.Timeout = timeout
			case *pb.Command_WaitForDigit:
				it.WaitForDigit.Timeout = timeout
			case *pb.Command_RecordFile:
				it.RecordFile.Timeout = timeout
			case *pb.Command_SpeechRecognize:
				it.SpeechRecognize.Timeout = timeout
			}
		},
		prompt: func(it *prompt) { it.timeout = d },
	}
}

// EscapeDigits are the digits (0-9 * #) that stop a prompt; none does unless set.
func EscapeDigits(digits string) EscapeDigitsOption {
	return option{
		command: func(c *pb.Command) {
			switch it := c.Command.(type) {
			case *pb.Command_ControlStreamFile:
				it.ControlStreamFile.EscapeDigits = digits
			case *pb.Command_GetOption:
				it.GetOption.EscapeDigits = digits
			case *pb.Command_RecordFile:
				it.RecordFile.EscapeDigits = digits
			case *pb.Command_SayAlpha:
				it.SayAlpha.EscapeDigits = digits
			case *pb.Command_SayDate:
				it.SayDate.EscapeDigits = digits
			case *pb.Command_SayDateTime:
				it.SayDateTime.EscapeDigits = digits
			case *pb.Command_SayDigits:
				it.SayDigits.EscapeDigits = digits
			case *pb.Command_SayNumber:
				it.SayNumber.EscapeDigits = digits
			case *pb.Command_SayPhonetic:
				it.SayPhonetic.EscapeDigits = digits
			case *pb.Command_SayTime:
				it.SayTime.EscapeDigits = digits
			case *pb.Command_StreamFile:
				it.StreamFile.EscapeDigits = digits
			}
		},
		prompt: func(it *prompt) { it.escapeDigits = digits },
	}
}

// OffsetSamples is where in the file to begin, in samples (8,000 a second for telephone audio); RecordFile appends there.
func OffsetSamples(samples uint32) OffsetOption {
	return option{command: func(c *pb.Command) {
		switch it := c.Command.(type) {
		case *pb.Command_RecordFile:
			it.RecordFile.OffsetSamples = samples
		case *pb.Command_SpeechRecognize:
			it.SpeechRecognize.OffsetSamples = samples
		case *pb.Command_StreamFile:
			it.StreamFile.OffsetSamples = samples
		}
	}}
}

// OnChannel names another channel; without it the command is about the call's own.
func OnChannel(name string) ChannelOption {
	return option{command: func(c *pb.Command) {
		switch it := c.Command.(type) {
		case *pb.Command_ChannelStatus:
			it.ChannelStatus.Channel = name
		case *pb.Command_GetFullVariable:
			it.GetFullVariable.Channel = name
		case *pb.Command_HangUp:
			it.HangUp.Channel = name
		}
	}}
}

// MaxDigits ends the caller's entry after that many digits, at most 1023. Without it, # or the timeout does.
func MaxDigits(n uint32) MaxDigitsOption {
	return option{
		command: func(c *pb.Command) { c.GetGetData().MaxDigits = n },
		prompt:  func(it *prompt) { it.maxDigits = n },
	}
}

// Skip is how far one press of the forward or rewind digit moves; 3 s unless set.
func Skip(d time.Duration) ControlStreamFileOption {
	return option{command: func(c *pb.Command) { c.GetControlStreamFile().Skip = durationpb.New(d) }}
}

// Offset is where in the file to begin.
func Offset(d time.Duration) ControlStreamFileOption {
	return option{command: func(c *pb.Command) { c.GetControlStreamFile().Offset = durationpb.New(d) }}
}

// ForwardDigit moves on; # unless set.
func ForwardDigit(digit string) ControlStreamFileOption {
	return option{command: func(c *pb.Command) { c.GetControlStreamFile().ForwardDigit = &digit }}
}

// RewindDigit moves back; * unless set.
func RewindDigit(digit string) ControlStreamFileOption {
	return option{command: func(c *pb.Command) { c.GetControlStreamFile().RewindDigit = &digit }}
}

// PauseDigit pauses and goes on; none unless set.
func PauseDigit(digit string) ControlStreamFileOption {
	return option{command: func(c *pb.Command) { c.GetControlStreamFile().PauseDigit = &digit }}
}

// Beep plays a tone before it records.
func Beep() RecordFileOption {
	return option{command: func(c *pb.Command) { c.GetRecordFile().Beep = true }}
}

// Silence stops the recording after that much silence, in whole seconds; never unless set.
func Silence(d time.Duration) RecordFileOption {
	return option{command: func(c *pb.Command) { c.GetRecordFile().Silence = durationpb.New(d) }}
}

// LetterCase says which letters have their case spoken.
type LetterCase int32

// Which letters have their case spoken.
const (
	CaseAll   = LetterCase(pb.SayAlpha_CASE_ALL)
	CaseLower = LetterCase(pb.SayAlpha_CASE_LOWER)
	CaseUpper = LetterCase(pb.SayAlpha_CASE_UPPER)
)

// SpokenCase has the case of letters spoken; it is not unless set.
func SpokenCase(which LetterCase) SayAlphaOption {
	return option{command: func(c *pb.Command) { c.GetSayAlpha().SpokenCase = pb.SayAlpha_Case(which) }}
}

// Gender is as the channel's language takes it: m, f, n or c.
func Gender(gender string) SayNumberOption {
	return option{command: func(c *pb.Command) { c.GetSayNumber().Gender = gender }}
}

// Format is as voicemail.conf writes it, as `ABdY 'digits/at' IMp`; Asterisk's own unless set.
func Format(format string) SayDateTimeOption {
	return option{command: func(c *pb.Command) { c.GetSayDateTime().Format = format }}
}

// TimeZone is an IANA zone, as Europe/Berlin; that of Asterisk's machine unless set.
func TimeZone(zone string) SayDateTimeOption {
	return option{command: func(c *pb.Command) { c.GetSayDateTime().TimeZone = zone }}
}

// MusicClass is the class of music on hold; the channel's unless set.
func MusicClass(class string) SetMusicOption {
	return option{command: func(c *pb.Command) { c.GetSetMusic().MusicClass = class }}
}

// VerboseLevel is 1 to 4; 1 unless set.
func VerboseLevel(level uint32) VerboseOption {
	return option{command: func(c *pb.Command) { c.GetVerbose().Level = level }}
}
