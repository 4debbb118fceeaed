"""OpenTelemetry, where its API is installed: the handler's span, and the context that commands carry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ._version import __version__
from .errors import NoInput, is_hangup

if TYPE_CHECKING:
    from ._machine import Machine

try:
    from opentelemetry import propagate, trace
except ImportError:
    _installed = False
else:
    _installed = True

_METHOD = "agibridge.v1.CallService/HandleCall"


def active_context() -> dict[str, str]:
    """Gives the W3C context of the active span; nothing when there is none."""
    carrier: dict[str, str] = {}
    if _installed and trace.get_current_span().get_span_context().is_valid:
        propagate.inject(carrier)
        carrier.pop("baggage", None)  # the contract has traceparent and tracestate here
    return carrier


@contextmanager
def handler_span(machine: Machine, metadata: Mapping[str, str], system: str) -> Iterator[None]:
    """Runs the handler in a span that continues the call's trace."""
    started = machine.started
    if not _installed or started is None:
        yield
        return
    carrier = {**metadata, **started.trace_context}  # a worker's stream has no metadata of the call
    attributes: dict[str, str | int] = {
        "rpc.system.name": system,
        "rpc.method": _METHOD,
        "agibridge.call.id": started.call_id,
        "agibridge.route": started.route,
    }
    if machine.resumption is not None:
        attributes["agibridge.resumption.attempt"] = machine.resumption.attempt
        attributes["agibridge.resumption.cause"] = machine.resumption.cause.name.lower()
    tracer = trace.get_tracer("agibridge", __version__)
    with tracer.start_as_current_span(
        _METHOD,
        context=propagate.extract(carrier),
        kind=trace.SpanKind.SERVER,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except Exception as error:
            if not (is_hangup(error) or isinstance(error, NoInput)):  # outcomes of a call, and no faults
                span.set_attribute("error.type", type(error).__qualname__)
                span.record_exception(error)
                span.set_status(trace.StatusCode.ERROR, str(error))
            raise
