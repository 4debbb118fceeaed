"""The contract's enums, as Python's, with room for the numbers of a newer contract."""

from __future__ import annotations

import enum


class _OpenEnum(enum.IntEnum):
    """An IntEnum that takes a number that it does not know, under the name ``UNKNOWN(number)``."""

    @classmethod
    def _missing_(cls, value: object) -> _OpenEnum | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN({value})"
        member._value_ = value
        return member

    @property
    def known(self) -> bool:
        """Whether this version of the library has a name for the number."""
        return self.name in type(self).__members__


class ErrorCode(_OpenEnum):
    """How a command failed: ``CommandError.code``."""

    UNSPECIFIED = 0
    INVALID_ARGUMENT = 1
    NOT_ALLOWED = 2
    QUEUE_FULL = 3
    SKIPPED = 4
    CANCELLED = 5
    TIMED_OUT = 6
    HUNG_UP = 7
    UNKNOWN_COMMAND = 8
    USAGE = 9
    FAILED = 10
    CALL_ENDED = 11
    NO_SUCH_APPLICATION = 12
    PROTOCOL_ERROR = 13


class ChannelState(_OpenEnum):
    """What ``channel_status`` gives."""

    UNSPECIFIED = 0
    DOWN = 1
    RESERVED = 2
    OFF_HOOK = 3
    DIALING = 4
    RING = 5
    RINGING = 6
    UP = 7
    BUSY = 8
    NO_SUCH_CHANNEL = 9


class RecordingEnd(_OpenEnum):
    """What ended a recording."""

    UNSPECIFIED = 0
    DIGIT = 1
    TIMEOUT = 2
    SILENCE = 3
    HANGUP = 4


class SpeechEnd(_OpenEnum):
    """What ended a speech recognition."""

    UNSPECIFIED = 0
    SPEECH = 1
    DIGIT = 2
    TIMEOUT = 3
    HANGUP = 4


class SpokenCase(_OpenEnum):
    """Which letters have their case spoken by ``say_alpha``."""

    NONE = 0
    ALL = 1
    LOWER = 2
    UPPER = 3


class TddMode(_OpenEnum):
    """What ``tdd_mode`` switches to."""

    UNSPECIFIED = 0
    OFF = 1
    ON = 2
    MATE = 3


class HangupSource(_OpenEnum):
    """How the bridge knows that the caller is gone."""

    UNSPECIFIED = 0
    SIGNAL = 1
    REPLY = 2
    CONNECTION = 3
    SERVICE = 4


class EndReason(_OpenEnum):
    """Why the session was over."""

    UNSPECIFIED = 0
    SERVICE = 1
    HANGUP = 2
    HANDOFF = 3
    CONNECTION_LOST = 4
    PROTOCOL_ERROR = 5
    DRAINED = 6
    LIMIT = 7
    OPERATOR = 8


class ResumptionCause(_OpenEnum):
    """Why this handler has a call that somebody else had before."""

    UNSPECIFIED = 0
    SERVICE_LOST = 1
    HANDOFF = 2
