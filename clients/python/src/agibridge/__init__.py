"""Services behind agi-bridge: one handler drives each call, and every AGI command is a method of the call.

::

    from agibridge import Call, Server

    async def handle(call: Call) -> None:
        await call.answer()
        await call.stream_file("hello-world")

    Server(handle, listen="0.0.0.0:50051").run()
"""

from typing import TYPE_CHECKING, Any

from ._call import Batch, Call
from ._commands import Commands
from ._enums import (
    ChannelState,
    EndReason,
    ErrorCode,
    HangupSource,
    RecordingEnd,
    ResumptionCause,
    SpeechEnd,
    SpokenCase,
    TddMode,
)
from ._manager import EventHandler, Manager, Subscription
from ._manager_types import (
    ActionReply,
    Application,
    Destination,
    Dialplan,
    Headers,
    Lost,
    ManagerEvent,
    Missed,
    Originated,
    Outcome,
    Route,
    ServerState,
    Told,
)
from ._pending import Pending
from ._server import Server
from ._session import Handler
from ._token import token_file
from ._version import __version__
from ._worker import Worker
from .errors import (
    AgiBridgeError,
    CallLost,
    CommandError,
    HungUp,
    ManagerError,
    MisuseError,
    NoInput,
    ServeError,
    WorkerRefused,
)
from .tls import ClientTls, ServerTls
from .types import (
    Channel,
    Digits,
    Duration,
    Ended,
    GosubReturn,
    Goto,
    Hangup,
    PastResult,
    Playback,
    PressedDigit,
    Progress,
    RawReply,
    Recording,
    Resumption,
    Speech,
    SpeechMatch,
)

if TYPE_CHECKING:
    from ._websocket import WebSocketServer as WebSocketServer

__all__ = [
    "ActionReply",
    "AgiBridgeError",
    "Application",
    "Batch",
    "Call",
    "CallLost",
    "Channel",
    "ChannelState",
    "ClientTls",
    "CommandError",
    "Commands",
    "Destination",
    "Dialplan",
    "Digits",
    "Duration",
    "EndReason",
    "Ended",
    "ErrorCode",
    "EventHandler",
    "GosubReturn",
    "Goto",
    "Handler",
    "Hangup",
    "HangupSource",
    "Headers",
    "HungUp",
    "Lost",
    "Manager",
    "ManagerError",
    "ManagerEvent",
    "Missed",
    "MisuseError",
    "NoInput",
    "Originated",
    "Outcome",
    "PastResult",
    "Pending",
    "Playback",
    "PressedDigit",
    "Progress",
    "RawReply",
    "Recording",
    "RecordingEnd",
    "Resumption",
    "ResumptionCause",
    "Route",
    "ServeError",
    "Server",
    "ServerState",
    "ServerTls",
    "Speech",
    "SpeechEnd",
    "SpeechMatch",
    "SpokenCase",
    "Subscription",
    "TddMode",
    "Told",
    "Worker",
    "WorkerRefused",
    "__version__",
    "token_file",
]


def __getattr__(name: str) -> Any:
    """Imports what needs an extra only when it is asked for."""
    if name == "WebSocketServer":
        from ._websocket import WebSocketServer

        return WebSocketServer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
