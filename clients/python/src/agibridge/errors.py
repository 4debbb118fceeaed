"""What a handler can be told went wrong: one small tree of exceptions."""

from __future__ import annotations

import grpc

from ._enums import ErrorCode

_ADVICE = {
    ErrorCode.INVALID_ARGUMENT: "correct the argument that the detail names",
    ErrorCode.NOT_ALLOWED: "the route's policy forbids it: change the policy, or do without",
    ErrorCode.QUEUE_FULL: "wait for results before sending more",
    ErrorCode.SKIPPED: "look at the command before it: that one did not succeed",
    ErrorCode.CANCELLED: "it was taken back before it ran, and did nothing",
    ErrorCode.TIMED_OUT: "it may still run at Asterisk, and the next command waits for it",
    ErrorCode.UNKNOWN_COMMAND: "this Asterisk lacks the command: load its module, or use another",
    ErrorCode.USAGE: "Asterisk did not accept the arguments: compare them with its usage text",
    ErrorCode.FAILED: "Asterisk tried and could not: does the file, device or entry exist?",
    ErrorCode.CALL_ENDED: "the session is over: return from the handler",
    ErrorCode.NO_SUCH_APPLICATION: "load the application's module into Asterisk, or correct its name",
    ErrorCode.PROTOCOL_ERROR: "the answer does not fit the command: see the bridge's log",
}

_MANAGER_ADVICE = {
    grpc.StatusCode.UNAUTHENTICATED: "show a token or a certificate that stands in the bridge's api.clients",
    grpc.StatusCode.PERMISSION_DENIED: "have it granted in the bridge's api.clients",
    grpc.StatusCode.INVALID_ARGUMENT: "correct the field that is named",
    grpc.StatusCode.NOT_FOUND: "name a server that stands in the bridge's managers",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "ask less at a time, or have the limit raised in the bridge's api.clients",
    grpc.StatusCode.UNAVAILABLE: "the bridge, or its link to Asterisk, is away: ask again later",
    grpc.StatusCode.UNKNOWN: "it was sent, and may have been done",
    grpc.StatusCode.DEADLINE_EXCEEDED: "it may have been done",
    grpc.StatusCode.CANCELLED: "it may have been done",
    grpc.StatusCode.ALREADY_EXISTS: "this request_id belongs to another request: take a new one",
    grpc.StatusCode.FAILED_PRECONDITION: "grant the class system in manager.conf, or pass an empty request_id",
    grpc.StatusCode.UNIMPLEMENTED: "this bridge has no managers, or is older than this library",
}


class AgiBridgeError(Exception):
    """Base of every error of this library."""


class HungUp(AgiBridgeError):
    """The caller is gone (or a redirect took the channel, which Asterisk tells in the same words).

    Store what must be stored and return: a handler that ends with this error ends well.
    """


class CommandError(AgiBridgeError):
    """A command failed; the call goes on.

    ``code`` says how, named as in the contract; ``detail`` is the bridge's text for people; ``command`` is the
    name of the method.
    """

    def __init__(self, code: ErrorCode, detail: str = "", command: str = "") -> None:
        """Makes the error that a command raises; a fake call's script may hold one."""
        super().__init__(code, detail, command)
        self.code = code
        self.detail = detail
        self.command = command

    def __str__(self) -> str:
        """Gives one line: what failed, how, and what to do."""
        advice = _ADVICE.get(self.code, "a newer version of this library would know this code")
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.command or 'the command'} failed with {self.code.name}{detail}: {advice}"


class CallLost(AgiBridgeError):
    """The bridge is gone, or the stream of this call broke.

    Another instance may have the call by now. Clean up and return: nothing that is sent reaches the call.
    """


class NoInput(AgiBridgeError):
    """The caller entered nothing that would do, in all tries of ``ask``, ``menu`` or ``confirm``.

    Catch it to go on in another way. A handler that ends with it ends the session, and the dialplan goes on.
    """


class MisuseError(AgiBridgeError):
    """A fault in the handler's own program, as a command on a call that is not its own; the message says which."""


class ManagerError(AgiBridgeError):
    """The bridge refused what a manager client asked for, or could not be asked.

    ``code`` is gRPC's status, ``detail`` the text for people, ``method`` what was asked for. ``request_id`` is that
    of an originate: with it, it is safe to ask again.
    """

    def __init__(self, code: grpc.StatusCode, detail: str = "", method: str = "", request_id: str = "") -> None:
        """Makes the error."""
        super().__init__(code, detail, method, request_id)
        self.code = code
        self.detail = detail
        self.method = method
        self.request_id = request_id

    def __str__(self) -> str:
        """Gives one line: what failed, how, and what to do."""
        advice = _MANAGER_ADVICE.get(self.code, "see the bridge's log")
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.method or 'the request'} failed with {self.code.name}{detail}: {advice}"


class WorkerRefused(AgiBridgeError):
    """A bridge refuses this worker for a reason that no retry cures; the message says what to change."""


class ServeError(AgiBridgeError):
    """The server cannot serve, as when its address is taken; the message says what to change."""


def is_hangup(error: BaseException) -> bool:
    """Tells the hangup error, also from a group in which there is nothing else."""
    inner: tuple[BaseException, ...] | None = getattr(error, "exceptions", None)
    return isinstance(error, HungUp) or (bool(inner) and all(is_hangup(one) for one in inner or ()))
