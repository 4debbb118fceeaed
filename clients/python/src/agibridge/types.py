"""What commands give back, and what a call is told: plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from ._enums import ChannelState, EndReason, HangupSource, RecordingEnd, ResumptionCause, SpeechEnd

if TYPE_CHECKING:
    from ._pending import Pending
    from .errors import AgiBridgeError

Duration: TypeAlias = float | timedelta
"""A length of time: seconds, or a ``timedelta``."""


@dataclass(frozen=True, slots=True)
class Playback:
    """How a prompt ended (STREAM FILE, CONTROL STREAM FILE, GET OPTION)."""

    digit: str | None = None
    """The digit that stopped it; None when none did."""
    end_samples: int | None = None
    """Where playback stopped, in samples (8,000 a second for telephone audio): STREAM FILE, GET OPTION."""
    end_milliseconds: int | None = None
    """Where playback stopped: CONTROL STREAM FILE. None when it played to its end."""


@dataclass(frozen=True, slots=True)
class Digits:
    """What the caller entered (GET DATA)."""

    digits: str = ""
    """As pressed, leading zeros kept, without the terminating ``#``. May be empty."""
    timed_out: bool = False
    """True when the time ran out before ``#`` or ``max_digits``."""

    def __str__(self) -> str:
        """Gives the digits."""
        return self.digits


@dataclass(frozen=True, slots=True)
class Recording:
    """How a recording ended (RECORD FILE)."""

    end: RecordingEnd = RecordingEnd.UNSPECIFIED
    digit: str | None = None
    """Set when a digit ended it."""
    end_samples: int = 0
    """Length of the file."""


@dataclass(frozen=True, slots=True)
class SpeechMatch:
    """One reading of what was said."""

    score: int = 0
    text: str = ""
    grammar: str = ""


@dataclass(frozen=True, slots=True)
class Speech:
    """What was heard (SPEECH RECOGNIZE)."""

    end: SpeechEnd = SpeechEnd.UNSPECIFIED
    matches: tuple[SpeechMatch, ...] = ()
    digit: str | None = None
    end_samples: int = 0


@dataclass(frozen=True, slots=True)
class GosubReturn:
    """How a subroutine ended (GOSUB)."""

    return_value: str = ""
    """GOSUB_RETVAL."""
    abnormal_exit: bool = False
    """True when it left by a jump or a hangup, and not by Return()."""


@dataclass(frozen=True, slots=True)
class RawReply:
    """Asterisk's reply to ``raw``."""

    code: int = 0
    """200, 510, 511 or 520."""
    result: str = ""
    """After ``result=``, up to the next space."""
    value: str | None = None
    """Inside the outer parentheses, if any."""
    text: str = ""
    """The reply as it came, several lines joined by LF."""


@dataclass(frozen=True, slots=True)
class Channel:
    """The channel, as Asterisk described it at the start; "unknown" and absent values are empty."""

    name: str = ""
    unique_id: str = ""
    type: str = ""
    """The channel driver's type, as ``PJSIP`` or ``Local``."""
    language: str = ""
    caller_id_number: str = ""
    caller_id_name: str = ""
    dialed_number: str = ""
    redirecting_number: str = ""
    context: str = ""
    extension: str = ""
    priority: int = 0
    account_code: str = ""
    asterisk_version: str = ""


@dataclass(frozen=True, slots=True)
class Hangup:
    """The caller is gone."""

    source: HangupSource
    grace: timedelta
    """How long the handler has from then; zero when the connection to Asterisk is closed already."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the session ended."""

    reason: EndReason
    detail: str = ""
    """For people, in English."""
    duration: timedelta = timedelta(0)
    commands: int = 0
    """How many commands were written to Asterisk."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a command reported before its result, as GOSUB does."""

    id: int
    command: str
    """The name of the method; empty for a command that this handler did not send."""
    text: str


@dataclass(frozen=True, slots=True)
class PressedDigit:
    """A key that the caller pressed, on a route with ``digits: true``."""

    digit: str
    """One of 0-9, *, # and A-D."""
    duration: timedelta = timedelta(0)
    """How long it was held, as Asterisk says."""

    def __str__(self) -> str:
        """Gives the digit."""
        return self.digit


@dataclass(frozen=True, slots=True)
class PastResult:
    """A result that came since the last checkpoint, for whoever resumes the call."""

    id: int
    """The command's number."""
    kind: str
    """The contract's name of the outcome, as ``digits`` or ``error``; empty for one of a newer contract."""
    value: Any = None
    """What the command's method would have given; None for an error."""
    error: AgiBridgeError | None = None
    """What the command's method would have raised."""
    hung_up: bool = False
    """True when the caller was gone by then."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a handler needs to carry on with a call that it, or another one, had before."""

    cause: ResumptionCause
    attempt: int = 1
    """1 for the first resumption of this call; handoffs count too."""
    checkpoint: bytes | None = None
    """The state of the last checkpoint, or what the handoff gave; None: there was none."""
    results: tuple[PastResult, ...] = ()
    """What came since the checkpoint, oldest first."""
    results_truncated: bool = False
    """True when older results were dropped."""
    hung_up: bool = False
    """True when the caller is already gone."""
    last_command_id: int = 0
    running: Pending[Any] | None = None
    """The command that is at Asterisk now: await its result rather than send it again."""


@dataclass(frozen=True, slots=True)
class Goto:
    """A place in the dialplan, for ``call.end``."""

    context: str
    extension: str = "s"
    priority: int = 1


@dataclass(frozen=True, slots=True)
class Started:
    """A call's facts, as the bridge tells them first."""

    call_id: str = ""
    route: str = ""
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    query_parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    channel: Channel = Channel()
    environment: Mapping[str, str] = field(default_factory=dict)
    accepted_at: datetime | None = None
    max_queued_commands: int = 32
    trace_context: Mapping[str, str] = field(default_factory=dict)


__all__ = [
    "Channel",
    "ChannelState",
    "Digits",
    "Duration",
    "EndReason",
    "Ended",
    "GosubReturn",
    "Goto",
    "Hangup",
    "HangupSource",
    "PastResult",
    "Playback",
    "PressedDigit",
    "Progress",
    "RawReply",
    "Recording",
    "RecordingEnd",
    "Resumption",
    "ResumptionCause",
    "Speech",
    "SpeechEnd",
    "SpeechMatch",
    "Started",
]
