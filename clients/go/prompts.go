// What people otherwise write again and again: play, ask, menu and confirm, made of commands.

package agibridge

import (
	"context"
	"time"
)

const (
	promptTimeout = 5 * time.Second
	promptTries   = 3
	allDigits     = "0123456789*#"
)

// prompt is what the options of the helpers say.
type prompt struct {
	timeout      time.Duration
	tries        int
	maxDigits    uint32
	escapeDigits string
	invalid      string
	yes, no      string
	validate     func(string) bool
}

type promptSetting interface{ setPrompt(*prompt) }

// The options that a helper takes.
type (
	// PlayOption is an option of Play.
	PlayOption interface {
		promptSetting
		play()
	}
	// AskOption is an option of Ask.
	AskOption interface {
		promptSetting
		ask()
	}
	// MenuOption is an option of Menu.
	MenuOption interface {
		promptSetting
		menu()
	}
	// ConfirmOption is an option of Confirm.
	ConfirmOption interface {
		promptSetting
		confirm()
	}
	// RetryOption is taken by the helpers that ask again.
	RetryOption interface {
		AskOption
		MenuOption
		ConfirmOption
	}
)

func promptOf[O promptSetting](options []O) *prompt {
	it := &prompt{timeout: promptTimeout, tries: promptTries, yes: "1", no: "2"}
	for _, option := range options {
		if any(option) != nil {
			option.setPrompt(it)
		}
	}
	return it
}

// Tries is how often the caller is asked; 3 unless set.
func Tries(n int) RetryOption { return option{prompt: func(it *prompt) { it.tries = n }} }

// Invalid is the sound file that is played after an answer that will not do; none unless set.
func Invalid(file string) RetryOption { return option{prompt: func(it *prompt) { it.invalid = file }} }

// Validate says which digits will do; any do unless set.
func Validate(accepts func(digits string) bool) AskOption {
	return option{prompt: func(it *prompt) { it.validate = accepts }}
}

// YesDigit is the digit for yes; 1 unless set.
func YesDigit(digit string) ConfirmOption { return option{prompt: func(it *prompt) { it.yes = digit }} }

// NoDigit is the digit for no; 2 unless set.
func NoDigit(digit string) ConfirmOption { return option{prompt: func(it *prompt) { it.no = digit }} }

// Play plays files one after the other until a digit of EscapeDigits is pressed, which it gives; "" when none was.
func (c *Call) Play(ctx context.Context, files []string, options ...PlayOption) (digit string, err error) {
	it := promptOf(options)
	for _, file := range files {
		played, err := c.StreamFile(ctx, file, EscapeDigits(it.escapeDigits))
		if err != nil || played.Digit != "" {
			return played.Digit, err
		}
	}
	return "", nil
}

// Ask plays a prompt and reads digits (GET DATA), up to Tries times: it gives them once there are some and Validate accepts
// them. Timeout is 5 s unless set. After digits that Validate does not accept, Invalid is played. After the last try the
// error is ErrNoInput; a missing file is CodeFailed at once.
func (c *Call) Ask(ctx context.Context, file string, options ...AskOption) (digits string, err error) {
	it := promptOf(options)
	for range it.tries {
		entered, err := c.GetData(ctx, file, Timeout(it.timeout), MaxDigits(it.maxDigits))
		if err != nil {
			return "", err
		}
		if entered.Digits == "" {
			continue
		}
		if it.validate == nil || it.validate(entered.Digits) {
			return entered.Digits, nil
		}
		if err := c.playInvalid(ctx, it); err != nil {
			return "", err
		}
	}
	return "", noInput("ask", it.tries)
}

// Menu plays a prompt and waits for one digit (GET OPTION), up to Tries times: it gives what choices has for the digit.
// Timeout is 5 s unless set. After another digit Invalid is played. After the last try the error is ErrNoInput.
func Menu[T any](ctx context.Context, call *Call, file string, choices map[string]T, options ...MenuOption) (T, error) {
	return menu(ctx, call, file, choices, promptOf(options), "menu")
}

// Confirm is a menu of two: YesDigit (1 unless set) gives true, NoDigit (2 unless set) false.
func (c *Call) Confirm(ctx context.Context, file string, options ...ConfirmOption) (yes bool, err error) {
	it := promptOf(options)
	if it.yes == it.no {
		return false, misuse("confirm with %q for both yes and no: choose two digits", it.yes)
	}
	return menu(ctx, c, file, map[string]bool{it.yes: true, it.no: false}, it, "confirm")
}

func menu[T any](ctx context.Context, c *Call, file string, choices map[string]T, it *prompt, what string) (T, error) {
	var none T
	for range it.tries {
		pressed, err := c.GetOption(ctx, file, EscapeDigits(allDigits), Timeout(it.timeout))
		if err != nil {
			return none, err
		}
		if pressed.Digit == "" {
			continue
		}
		if choice, ok := choices[pressed.Digit]; ok {
			return choice, nil
		}
		if err := c.playInvalid(ctx, it); err != nil {
			return none, err
		}
	}
	return none, noInput(what, it.tries)
}

func (c *Call) playInvalid(ctx context.Context, it *prompt) error {
	if it.invalid == "" {
		return nil
	}
	_, err := c.StreamFile(ctx, it.invalid)
	return err
}
