// The options of commands, from the fields of the contract that are there.

package main

import "github.com/agi-bridge/agi-bridge/clients/go"

var letterCases = map[string]agibridge.LetterCase{
	"CASE_ALL": agibridge.CaseAll, "CASE_LOWER": agibridge.CaseLower, "CASE_UPPER": agibridge.CaseUpper,
}

var textModes = map[string]agibridge.TDD{
	"MODE_OFF": agibridge.TDDOff, "MODE_ON": agibridge.TDDOn, "MODE_MATE": agibridge.TDDMate,
}

// list takes what every command takes as options of one.
func list[O any](every []agibridge.EveryOption) []O {
	its := make([]O, 0, len(every))
	for _, it := range every {
		its = append(its, it.(O))
	}
	return its
}

func channelStatusOptions(f fields, every []agibridge.EveryOption) []agibridge.ChannelStatusOption {
	its := list[agibridge.ChannelStatusOption](every)
	if f.has("channel") {
		its = append(its, agibridge.OnChannel(f.text("channel")))
	}
	return its
}

func controlStreamFileOptions(f fields, every []agibridge.EveryOption) []agibridge.ControlStreamFileOption {
	its := list[agibridge.ControlStreamFileOption](every)
	if f.has("escapeDigits") {
		its = append(its, agibridge.EscapeDigits(f.text("escapeDigits")))
	}
	if f.has("skip") {
		its = append(its, agibridge.Skip(f.duration("skip")))
	}
	if f.has("forwardDigit") {
		its = append(its, agibridge.ForwardDigit(f.text("forwardDigit")))
	}
	if f.has("rewindDigit") {
		its = append(its, agibridge.RewindDigit(f.text("rewindDigit")))
	}
	if f.has("pauseDigit") {
		its = append(its, agibridge.PauseDigit(f.text("pauseDigit")))
	}
	if f.has("offset") {
		its = append(its, agibridge.Offset(f.duration("offset")))
	}
	return its
}

func getDataOptions(f fields, every []agibridge.EveryOption) []agibridge.GetDataOption {
	its := list[agibridge.GetDataOption](every)
	if f.has("timeout") {
		its = append(its, agibridge.Timeout(f.duration("timeout")))
	}
	if f.has("maxDigits") {
		its = append(its, agibridge.MaxDigits(uint32(f.number("maxDigits"))))
	}
	return its
}

func getFullVariableOptions(f fields, every []agibridge.EveryOption) []agibridge.GetFullVariableOption {
	its := list[agibridge.GetFullVariableOption](every)
	if f.has("channel") {
		its = append(its, agibridge.OnChannel(f.text("channel")))
	}
	return its
}

func getOptionOptions(f fields, every []agibridge.EveryOption) []agibridge.GetOptionOption {
	its := list[agibridge.GetOptionOption](every)
	if f.has("escapeDigits") {
		its = append(its, agibridge.EscapeDigits(f.text("escapeDigits")))
	}
	if f.has("timeout") {
		its = append(its, agibridge.Timeout(f.duration("timeout")))
	}
	return its
}

func hangUpOptions(f fields, every []agibridge.EveryOption) []agibridge.HangUpOption {
	its := list[agibridge.HangUpOption](every)
	if f.has("channel") {
		its = append(its, agibridge.OnChannel(f.text("channel")))
	}
	return its
}

func receiveOptions(f fields, every []agibridge.EveryOption) []agibridge.ReceiveOption {
	its := list[agibridge.ReceiveOption](every)
	if f.has("timeout") {
		its = append(its, agibridge.Timeout(f.duration("timeout")))
	}
	return its
}

func recordFileOptions(f fields, every []agibridge.EveryOption) []agibridge.RecordFileOption {
	its := list[agibridge.RecordFileOption](every)
	if f.has("escapeDigits") {
		its = append(its, agibridge.EscapeDigits(f.text("escapeDigits")))
	}
	if f.has("timeout") {
		its = append(its, agibridge.Timeout(f.duration("timeout")))
	}
	if f.has("offsetSamples") {
		its = append(its, agibridge.OffsetSamples(uint32(f.number("offsetSamples"))))
	}
	if f.flag("beep") {
		its = append(its, agibridge.Beep())
	}
	if f.has("silence") {
		its = append(its, agibridge.Silence(f.duration("silence")))
	}
	return its
}

func sayOptions(f fields, every []agibridge.EveryOption) []agibridge.SayOption {
	its := list[agibridge.SayOption](every)
	if f.has("escapeDigits") {
		its = append(its, agibridge.EscapeDigits(f.text("escapeDigits")))
	}
	return its
}

func sayAlphaOptions(f fields, every []agibridge.EveryOption) []agibridge.SayAlphaOption {
	its := list[agibridge.SayAlphaOption](every)
	if f.has("escapeDigits") {
		its = append(its, agibridge.EscapeDigits(f.text("escapeDigits")))
	}
	if f.has("spokenCase") {
		its = append(its, agibridge.SpokenCase(letterCases[f.text("spokenCase")]))
	}
	return its
}

func sayDateTimeOptions(f fields, every []agibridge.EveryOption) []agibridge.SayDateTimeOption {
	its := list[agibridge.SayDateTimeOption](every)
	if f.has("escapeDigits") {
		its = append(its, agibridge.EscapeDigits(f.text("escapeDigits")))
	}
	if f.has("format") {
		its = append(its, agibridge.Format(f.text("format")))
	}
	if f.has("timeZone") {
		its = append(its, agibridge.TimeZone(f.text("timeZone")))
	}
	return its
}

func sayNumberOptions(f fields, every []agibridge.EveryOption) []agibridge.SayNumberOption {
	its := list[agibridge.SayNumberOption](every)
	if f.has("escapeDigits") {
		its = append(its, agibridge.EscapeDigits(f.text("escapeDigits")))
	}
	if f.has("gender") {
		its = append(its, agibridge.Gender(f.text("gender")))
	}
	return its
}

func setMusicOptions(f fields, every []agibridge.EveryOption) []agibridge.SetMusicOption {
	its := list[agibridge.SetMusicOption](every)
	if f.has("musicClass") {
		its = append(its, agibridge.MusicClass(f.text("musicClass")))
	}
	return its
}

func speechRecognizeOptions(f fields, every []agibridge.EveryOption) []agibridge.SpeechRecognizeOption {
	its := list[agibridge.SpeechRecognizeOption](every)
	if f.has("timeout") {
		its = append(its, agibridge.Timeout(f.duration("timeout")))
	}
	if f.has("offsetSamples") {
		its = append(its, agibridge.OffsetSamples(uint32(f.number("offsetSamples"))))
	}
	return its
}

func streamFileOptions(f fields, every []agibridge.EveryOption) []agibridge.StreamFileOption {
	its := list[agibridge.StreamFileOption](every)
	if f.has("escapeDigits") {
		its = append(its, agibridge.EscapeDigits(f.text("escapeDigits")))
	}
	if f.has("offsetSamples") {
		its = append(its, agibridge.OffsetSamples(uint32(f.number("offsetSamples"))))
	}
	return its
}

func verboseOptions(f fields, every []agibridge.EveryOption) []agibridge.VerboseOption {
	its := list[agibridge.VerboseOption](every)
	if f.has("level") {
		its = append(its, agibridge.VerboseLevel(uint32(f.number("level"))))
	}
	return its
}
