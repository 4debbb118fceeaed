"""Every AGI command of Asterisk 22 as a method, for calls and batches alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from . import _convert as read
from ._convert import duration, moment
from ._enums import ChannelState, SpokenCase, TddMode
from ._pending import Pending
from ._proto import command_pb2 as pb
from .types import Digits, Duration, GosubReturn, Playback, RawReply, Recording, Speech

T = TypeVar("T")

_CASES = {
    SpokenCase.NONE: pb.SayAlpha.CASE_UNSPECIFIED,
    SpokenCase.ALL: pb.SayAlpha.CASE_ALL,
    SpokenCase.LOWER: pb.SayAlpha.CASE_LOWER,
    SpokenCase.UPPER: pb.SayAlpha.CASE_UPPER,
}
_TDD = {
    TddMode.UNSPECIFIED: pb.TddMode.MODE_UNSPECIFIED,
    TddMode.OFF: pb.TddMode.MODE_OFF,
    TddMode.ON: pb.TddMode.MODE_ON,
    TddMode.MATE: pb.TddMode.MODE_MATE,
}


class Commands(ABC):
    """The 47 commands, and ``raw``.

    Each method gives a handle at once, whose ``await`` gives the result. All take two more options:

    - ``reply_timeout``: how long the bridge waits for Asterisk's answer, counted from when the command is written to
      Asterisk; the command then fails with TIMED_OUT, though Asterisk may still be at it, and the next command waits
      for that. Unset: no limit.
    - ``requires_success``: run it only when the command before succeeded; otherwise it fails with SKIPPED.

    Any of them may raise, when awaited: ``HungUp`` once the caller is gone (unless it says that it works after the
    hangup), ``CommandError`` with a code, ``CallLost`` when the stream broke. ``MisuseError`` is raised at once, as is
    ``ValueError`` or ``TypeError`` for a value that the contract cannot hold. Text with CR, LF or NUL, and what would
    not fit AGI's line, fails with INVALID_ARGUMENT. What is left out takes Asterisk's default. Durations are seconds,
    or ``timedelta``.
    """

    __slots__ = ()

    @abstractmethod
    def _submit(
        self,
        name: str,
        command: pb.Command,
        parse: Callable[[pb.CommandResult], T],
        reply_timeout: Duration | None,
        requires_success: bool,
    ) -> Pending[T]:
        """Sends the command, or keeps it for the batch."""

    def answer(self, *, reply_timeout: Duration | None = None, requires_success: bool = False) -> Pending[None]:
        """Answers the channel, unless it is up. Prompts are heard by the caller only after it, on most channels."""
        command = pb.Command(answer=pb.Answer())
        return self._submit("answer", command, read.done, reply_timeout, requires_success)

    def async_agi_break(
        self, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Leaves an AsyncAGI loop; of use only on a channel that is in one."""
        command = pb.Command(async_agi_break=pb.AsyncAgiBreak())
        return self._submit("async_agi_break", command, read.done, reply_timeout, requires_success)

    def channel_status(
        self, channel: str = "", *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[ChannelState]:
        """Gives the state of this call's channel, or of another one by its name (CHANNEL STATUS).

        ``ChannelState.NO_SUCH_CHANNEL`` when Asterisk knows none of that name.
        """
        command = pb.Command(channel_status=pb.GetChannelStatus(channel=channel))
        return self._submit("channel_status", command, read.channel_status, reply_timeout, requires_success)

    def control_stream_file(
        self,
        file: str,
        escape_digits: str = "",
        *,
        skip: Duration | None = None,
        forward_digit: str | None = None,
        rewind_digit: str | None = None,
        pause_digit: str | None = None,
        offset: Duration | None = None,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[Playback]:
        """Plays a sound file that the caller can wind and pause (CONTROL STREAM FILE).

        ``file`` is without its ending. ``escape_digits``: digits (0-9 * #) that stop it.
        ``skip``: how far one press moves, 3 s unless set. ``forward_digit`` is ``#``, ``rewind_digit`` ``*``,
        ``pause_digit`` none unless set.
        ``offset``: where to begin. FAILED when there is no such file.
        """
        command = pb.Command(
            control_stream_file=pb.ControlStreamFile(
                file=file,
                escape_digits=escape_digits,
                skip=duration(skip),
                forward_digit=forward_digit,
                rewind_digit=rewind_digit,
                pause_digit=pause_digit,
                offset=duration(offset),
            )
        )
        return self._submit("control_stream_file", command, read.playback, reply_timeout, requires_success)

    def database_del(
        self, family: str, key: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Deletes a key of Asterisk's database (DATABASE DEL). FAILED when there is none. Works after the hangup."""
        command = pb.Command(database_del=pb.DatabaseDel(family=family, key=key))
        return self._submit("database_del", command, read.done, reply_timeout, requires_success)

    def database_del_tree(
        self, family: str, key_tree: str = "", *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Deletes a family of Asterisk's database, or the keys below ``key_tree`` (DATABASE DELTREE).

        Works after the hangup.
        """
        command = pb.Command(database_del_tree=pb.DatabaseDelTree(family=family, key_tree=key_tree))
        return self._submit("database_del_tree", command, read.done, reply_timeout, requires_success)

    def database_get(
        self, family: str, key: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[str | None]:
        """Reads a key of Asterisk's database; None when there is none (DATABASE GET). Works after the hangup."""
        command = pb.Command(database_get=pb.DatabaseGet(family=family, key=key))
        return self._submit("database_get", command, read.value, reply_timeout, requires_success)

    def database_put(
        self,
        family: str,
        key: str,
        value: str,
        *,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[None]:
        """Writes a key of Asterisk's database (DATABASE PUT). Works after the hangup."""
        command = pb.Command(database_put=pb.DatabasePut(family=family, key=key, value=value))
        return self._submit("database_put", command, read.done, reply_timeout, requires_success)

    def exec(
        self, application: str, *arguments: str, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[int]:
        """Runs a dialplan application, as ``exec("Dial", "PJSIP/100", "20")`` (EXEC). Works after the hangup.

        Gives what the application returned: most give 0, and -1 when the channel hung up.
        A comma, quote or backslash inside an argument reaches the application as it is. NO_SUCH_APPLICATION when
        there is none.
        """
        command = pb.Command(exec=pb.Exec(application=application, arguments=arguments))
        return self._submit("exec", command, read.exec_, reply_timeout, requires_success)

    def get_data(
        self,
        file: str,
        *,
        timeout: Duration | None = None,
        max_digits: int = 0,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[Digits]:
        """Plays a prompt and collects digits until ``#``, ``max_digits`` or the timeout (GET DATA).

        ``timeout``: before the first digit and between digits, from the prompt's end; unset: 6 s and 2 s.
        ``max_digits``: at most 1023; 0: as many as come, up to that.
        """
        command = pb.Command(get_data=pb.GetData(file=file, timeout=duration(timeout), max_digits=max_digits))
        return self._submit("get_data", command, read.digits, reply_timeout, requires_success)

    def get_full_variable(
        self,
        expression: str,
        channel: str = "",
        *,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[str | None]:
        """Evaluates a dialplan expression, as ``${CALLERID(num)}``, here or on another channel (GET FULL VARIABLE).

        Works after the hangup.
        """
        command = pb.Command(get_full_variable=pb.GetFullVariable(expression=expression, channel=channel))
        return self._submit("get_full_variable", command, read.value, reply_timeout, requires_success)

    def get_option(
        self,
        file: str,
        escape_digits: str = "",
        *,
        timeout: Duration | None = None,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[Playback]:
        """Plays a prompt and waits for one digit of ``escape_digits`` (GET OPTION).

        ``timeout``: from the prompt's end; 5 s unless set. FAILED when there is no such file.
        """
        command = pb.Command(get_option=pb.GetOption(file=file, escape_digits=escape_digits, timeout=duration(timeout)))
        return self._submit("get_option", command, read.playback, reply_timeout, requires_success)

    def get_variable(
        self, name: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[str | None]:
        """Reads a channel variable or function, whole and exact; None when it is not set (GET VARIABLE).

        Works after the hangup, as for DIALSTATUS.
        """
        command = pb.Command(get_variable=pb.GetVariable(name=name))
        return self._submit("get_variable", command, read.value, reply_timeout, requires_success)

    def gosub(
        self,
        context: str,
        extension: str,
        priority: int | str = 1,
        *arguments: str,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[GosubReturn]:
        """Runs a subroutine of the dialplan until its Return() (GOSUB). ``priority`` is a number or a label."""
        command = pb.Command(
            gosub=pb.Gosub(context=context, extension=extension, priority=str(priority), arguments=arguments)
        )
        return self._submit("gosub", command, read.gosub, reply_timeout, requires_success)

    def hang_up(
        self, channel: str = "", *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Hangs up this call's channel, or another one by its name (HANGUP).

        To end the session by hanging up, ``await call.end(hang_up=True)`` says it in one go.
        """
        command = pb.Command(hang_up=pb.HangUp(channel=channel))
        return self._submit("hang_up", command, read.done, reply_timeout, requires_success)

    def noop(
        self, text: str = "", *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Does nothing at Asterisk (NOOP). Works after the hangup."""
        command = pb.Command(noop=pb.Noop(text=text))
        return self._submit("noop", command, read.done, reply_timeout, requires_success)

    def receive_char(
        self, *, timeout: Duration | None = None, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[str | None]:
        """Waits for one character of text from the caller; None when none came in time (RECEIVE CHAR).

        Unset: no limit.
        """
        command = pb.Command(receive_char=pb.ReceiveChar(timeout=duration(timeout)))
        return self._submit("receive_char", command, read.text, reply_timeout, requires_success)

    def receive_text(
        self, *, timeout: Duration | None = None, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[str | None]:
        """Waits for a line of text from the caller; None when none came in time (RECEIVE TEXT). Unset: no limit."""
        command = pb.Command(receive_text=pb.ReceiveText(timeout=duration(timeout)))
        return self._submit("receive_text", command, read.text, reply_timeout, requires_success)

    def record_file(
        self,
        file: str,
        format: str = "wav",
        escape_digits: str = "",
        *,
        timeout: Duration | None = None,
        offset_samples: int = 0,
        beep: bool = False,
        silence: Duration | None = None,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[Recording]:
        """Records the caller into a file (RECORD FILE).

        ``file`` is without its ending, which ``format`` names. ``escape_digits``: digits (0-9 * #) that stop it.
        ``timeout``: at most that long; unset: no limit. ``silence``: stop after that much, in whole seconds; unset:
        never.
        ``offset_samples``: append from this sample on. A recording that the hangup ended is a result too. FAILED when
        the file cannot be written.
        """
        command = pb.Command(
            record_file=pb.RecordFile(
                file=file,
                format=format,
                escape_digits=escape_digits,
                timeout=duration(timeout),
                offset_samples=offset_samples,
                beep=beep,
                silence=duration(silence),
            )
        )
        return self._submit("record_file", command, read.recording, reply_timeout, requires_success)

    def say_alpha(
        self,
        text: str,
        escape_digits: str = "",
        *,
        spoken_case: SpokenCase = SpokenCase.NONE,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[str | None]:
        """Spells text (SAY ALPHA). Gives the digit that stopped it, or None.

        ``escape_digits``: digits (0-9 * #) that stop it. ``spoken_case``: which letters have their case spoken.
        """
        command = pb.Command(
            say_alpha=pb.SayAlpha(text=text, escape_digits=escape_digits, spoken_case=_CASES[spoken_case])
        )
        return self._submit("say_alpha", command, read.digit, reply_timeout, requires_success)

    def say_date(
        self,
        date: datetime,
        escape_digits: str = "",
        *,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[str | None]:
        """Says a date, in Asterisk's own time zone (SAY DATE). Gives the digit that stopped it, or None.

        ``escape_digits``: digits (0-9 * #) that stop it. A ``date`` without a zone is local time of this machine.
        """
        command = pb.Command(say_date=pb.SayDate(date=moment(date), escape_digits=escape_digits))
        return self._submit("say_date", command, read.digit, reply_timeout, requires_success)

    def say_date_time(
        self,
        time: datetime,
        escape_digits: str = "",
        *,
        format: str = "",
        time_zone: str = "",
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[str | None]:
        """Says a moment (SAY DATETIME). Gives the digit that stopped it, or None.

        ``escape_digits``: digits (0-9 * #) that stop it. A ``time`` without a zone is local time of this machine.
        ``format`` as voicemail.conf writes it, as ``ABdY 'digits/at' IMp``; ``time_zone``: an IANA zone; empty:
        Asterisk's own.
        """
        command = pb.Command(
            say_date_time=pb.SayDateTime(
                time=moment(time), escape_digits=escape_digits, format=format, time_zone=time_zone
            )
        )
        return self._submit("say_date_time", command, read.digit, reply_timeout, requires_success)

    def say_digits(
        self,
        digits: str,
        escape_digits: str = "",
        *,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[str | None]:
        """Says digits one by one (SAY DIGITS). Gives the digit that stopped it, or None.

        ``escape_digits``: digits (0-9 * #) that stop it.
        """
        command = pb.Command(say_digits=pb.SayDigits(digits=digits, escape_digits=escape_digits))
        return self._submit("say_digits", command, read.digit, reply_timeout, requires_success)

    def say_number(
        self,
        number: int,
        escape_digits: str = "",
        *,
        gender: str = "",
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[str | None]:
        """Says a number of 32 bits (SAY NUMBER). Gives the digit that stopped it, or None.

        ``escape_digits``: digits (0-9 * #) that stop it. ``gender`` as the channel's language takes it: ``m``, ``f``,
        ``n``, ``c``.
        """
        command = pb.Command(say_number=pb.SayNumber(number=number, escape_digits=escape_digits, gender=gender))
        return self._submit("say_number", command, read.digit, reply_timeout, requires_success)

    def say_phonetic(
        self,
        text: str,
        escape_digits: str = "",
        *,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[str | None]:
        """Spells text in the phonetic alphabet (SAY PHONETIC). Gives the digit that stopped it, or None.

        ``escape_digits``: digits (0-9 * #) that stop it.
        """
        command = pb.Command(say_phonetic=pb.SayPhonetic(text=text, escape_digits=escape_digits))
        return self._submit("say_phonetic", command, read.digit, reply_timeout, requires_success)

    def say_time(
        self,
        time: datetime,
        escape_digits: str = "",
        *,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[str | None]:
        """Says a time of day, in Asterisk's own time zone (SAY TIME). Gives the digit that stopped it, or None.

        ``escape_digits``: digits (0-9 * #) that stop it. A ``time`` without a zone is local time of this machine.
        """
        command = pb.Command(say_time=pb.SayTime(time=moment(time), escape_digits=escape_digits))
        return self._submit("say_time", command, read.digit, reply_timeout, requires_success)

    def send_image(
        self, image: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Sends an image to a channel that can show one (SEND IMAGE)."""
        command = pb.Command(send_image=pb.SendImage(image=image))
        return self._submit("send_image", command, read.done, reply_timeout, requires_success)

    def send_text(
        self, text: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Sends text to a channel that can show it (SEND TEXT)."""
        command = pb.Command(send_text=pb.SendText(text=text))
        return self._submit("send_text", command, read.done, reply_timeout, requires_success)

    def set_auto_hangup(
        self, after: Duration | None = None, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Has Asterisk hang up after this time, in whole seconds from now; zero or None: never (SET AUTOHANGUP)."""
        command = pb.Command(set_auto_hangup=pb.SetAutoHangup(after=duration(after)))
        return self._submit("set_auto_hangup", command, read.done, reply_timeout, requires_success)

    def set_caller_id(
        self, name: str = "", number: str = "", *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Changes the caller ID (SET CALLERID)."""
        command = pb.Command(set_caller_id=pb.SetCallerId(name=name, number=number))
        return self._submit("set_caller_id", command, read.done, reply_timeout, requires_success)

    def set_context(
        self, context: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Has the dialplan go on in this context after the session (SET CONTEXT).

        ``call.end(goto=…)`` sets all three at once.
        """
        command = pb.Command(set_context=pb.SetContext(context=context))
        return self._submit("set_context", command, read.done, reply_timeout, requires_success)

    def set_extension(
        self, extension: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Has the dialplan go on at this extension after the session (SET EXTENSION)."""
        command = pb.Command(set_extension=pb.SetExtension(extension=extension))
        return self._submit("set_extension", command, read.done, reply_timeout, requires_success)

    def set_music(
        self,
        on: bool = True,
        music_class: str = "",
        *,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[None]:
        """Starts or stops music on hold (SET MUSIC). ``music_class`` empty: the channel's."""
        command = pb.Command(set_music=pb.SetMusic(on=on, music_class=music_class))
        return self._submit("set_music", command, read.done, reply_timeout, requires_success)

    def set_priority(
        self, priority: int | str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Has the dialplan go on at this priority, a number or a label, after the session (SET PRIORITY)."""
        command = pb.Command(set_priority=pb.SetPriority(priority=str(priority)))
        return self._submit("set_priority", command, read.done, reply_timeout, requires_success)

    def set_variable(
        self, name: str, value: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Sets a channel variable or function (SET VARIABLE). Works after the hangup."""
        command = pb.Command(set_variable=pb.SetVariable(name=name, value=value))
        return self._submit("set_variable", command, read.done, reply_timeout, requires_success)

    def speech_activate_grammar(
        self, grammar: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Has recognition use a loaded grammar (SPEECH ACTIVATE GRAMMAR)."""
        command = pb.Command(speech_activate_grammar=pb.SpeechActivateGrammar(grammar=grammar))
        return self._submit("speech_activate_grammar", command, read.done, reply_timeout, requires_success)

    def speech_create(
        self, engine: str = "", *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Makes a speech object on the channel (SPEECH CREATE). FAILED when there is no such engine."""
        command = pb.Command(speech_create=pb.SpeechCreate(engine=engine))
        return self._submit("speech_create", command, read.done, reply_timeout, requires_success)

    def speech_deactivate_grammar(
        self, grammar: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Has recognition no longer use a grammar (SPEECH DEACTIVATE GRAMMAR)."""
        command = pb.Command(speech_deactivate_grammar=pb.SpeechDeactivateGrammar(grammar=grammar))
        return self._submit("speech_deactivate_grammar", command, read.done, reply_timeout, requires_success)

    def speech_destroy(self, *, reply_timeout: Duration | None = None, requires_success: bool = False) -> Pending[None]:
        """Destroys the speech object (SPEECH DESTROY). Works after the hangup."""
        command = pb.Command(speech_destroy=pb.SpeechDestroy())
        return self._submit("speech_destroy", command, read.done, reply_timeout, requires_success)

    def speech_load_grammar(
        self, grammar: str, path: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Loads a grammar from a path under a name (SPEECH LOAD GRAMMAR)."""
        command = pb.Command(speech_load_grammar=pb.SpeechLoadGrammar(grammar=grammar, path=path))
        return self._submit("speech_load_grammar", command, read.done, reply_timeout, requires_success)

    def speech_recognize(
        self,
        prompt: str,
        *,
        timeout: Duration | None = None,
        offset_samples: int = 0,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[Speech]:
        """Plays a prompt and listens (SPEECH RECOGNIZE).

        ``timeout``: in whole seconds from the prompt's end; unset: no limit. ``offset_samples``: where the prompt
        begins.
        """
        command = pb.Command(
            speech_recognize=pb.SpeechRecognize(prompt=prompt, timeout=duration(timeout), offset_samples=offset_samples)
        )
        return self._submit("speech_recognize", command, read.speech, reply_timeout, requires_success)

    def speech_set(
        self, name: str, value: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Sets an option of the speech engine (SPEECH SET)."""
        command = pb.Command(speech_set=pb.SpeechSet(name=name, value=value))
        return self._submit("speech_set", command, read.done, reply_timeout, requires_success)

    def speech_unload_grammar(
        self, grammar: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Unloads a grammar (SPEECH UNLOAD GRAMMAR). Works after the hangup."""
        command = pb.Command(speech_unload_grammar=pb.SpeechUnloadGrammar(grammar=grammar))
        return self._submit("speech_unload_grammar", command, read.done, reply_timeout, requires_success)

    def stream_file(
        self,
        file: str,
        escape_digits: str = "",
        *,
        offset_samples: int = 0,
        reply_timeout: Duration | None = None,
        requires_success: bool = False,
    ) -> Pending[Playback]:
        """Plays a sound file (STREAM FILE).

        ``file`` is without its ending. ``escape_digits``: digits (0-9 * #) that stop it.
        ``offset_samples``: where to begin. FAILED when there is no such file.
        """
        command = pb.Command(
            stream_file=pb.StreamFile(file=file, escape_digits=escape_digits, offset_samples=offset_samples)
        )
        return self._submit("stream_file", command, read.playback, reply_timeout, requires_success)

    def tdd_mode(
        self, mode: TddMode, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Switches reception of text from telephones for the deaf (TDD MODE)."""
        command = pb.Command(tdd_mode=pb.TddMode(mode=_TDD[mode]))
        return self._submit("tdd_mode", command, read.done, reply_timeout, requires_success)

    def verbose(
        self, text: str, level: int = 1, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[None]:
        """Writes a line to Asterisk's log (VERBOSE), at level 1 to 4. Works after the hangup."""
        command = pb.Command(verbose=pb.Verbose(text=text, level=level))
        return self._submit("verbose", command, read.done, reply_timeout, requires_success)

    def wait_for_digit(
        self, *, timeout: Duration | None = None, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[str | None]:
        """Waits for a digit; None when none was pressed in time (WAIT FOR DIGIT). Unset: no limit."""
        command = pb.Command(wait_for_digit=pb.WaitForDigit(timeout=duration(timeout)))
        return self._submit("wait_for_digit", command, read.digit, reply_timeout, requires_success)

    def raw(
        self, line: str, *, reply_timeout: Duration | None = None, requires_success: bool = False
    ) -> Pending[RawReply]:
        """Sends a command that this library does not know, as one line without its line end.

        A line that begins with ``failure`` is refused. Codes 510, 511 and 520 are replies here, and not errors.
        """
        command = pb.Command(raw=pb.RawCommand(line=line))
        return self._submit("raw", command, read.raw, reply_timeout, requires_success)


PARSERS: dict[str, Callable[[pb.CommandResult], Any]] = {
    "answer": read.done,
    "async_agi_break": read.done,
    "channel_status": read.channel_status,
    "control_stream_file": read.playback,
    "database_del": read.done,
    "database_del_tree": read.done,
    "database_get": read.value,
    "database_put": read.done,
    "exec": read.exec_,
    "get_data": read.digits,
    "get_full_variable": read.value,
    "get_option": read.playback,
    "get_variable": read.value,
    "gosub": read.gosub,
    "hang_up": read.done,
    "noop": read.done,
    "receive_char": read.text,
    "receive_text": read.text,
    "record_file": read.recording,
    "say_alpha": read.digit,
    "say_date": read.digit,
    "say_date_time": read.digit,
    "say_digits": read.digit,
    "say_number": read.digit,
    "say_phonetic": read.digit,
    "say_time": read.digit,
    "send_image": read.done,
    "send_text": read.done,
    "set_auto_hangup": read.done,
    "set_caller_id": read.done,
    "set_context": read.done,
    "set_extension": read.done,
    "set_music": read.done,
    "set_priority": read.done,
    "set_variable": read.done,
    "speech_activate_grammar": read.done,
    "speech_create": read.done,
    "speech_deactivate_grammar": read.done,
    "speech_destroy": read.done,
    "speech_load_grammar": read.done,
    "speech_recognize": read.speech,
    "speech_set": read.done,
    "speech_unload_grammar": read.done,
    "stream_file": read.playback,
    "tdd_mode": read.done,
    "verbose": read.done,
    "wait_for_digit": read.digit,
    "raw": read.raw,
}
"""How the result of each command is read, by the command's name in the contract."""
