"""Spans of handlers, and the context of commands, with OpenTelemetry set up and without."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from agibridge import Call, Handler, HungUp
from stream import Stream, begin, over

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield memory
    provider.shutdown()


async def run(handle: Handler, stream: Stream, *, fails: bool = False) -> list[dict[str, str]]:
    """Answers every command, and gives the contexts that they carried."""
    contexts: list[dict[str, str]] = []
    task = begin(stream, handle)
    stream.start(route="ivr")

    async def answer() -> None:
        while (control := await stream.control()).HasField("command"):
            contexts.append(dict(control.command.trace_context))
            stream.result(control.command.id)
        stream.end()

    answering = asyncio.create_task(answer())
    await over(task, fails=fails)
    answering.cancel()
    return contexts


async def test_the_handlers_span_continues_the_calls_trace_and_commands_carry_the_active_one(
    exporter: InMemorySpanExporter,
) -> None:
    stream = Stream()
    stream.metadata = {"traceparent": f"00-{TRACE}-{PARENT}-01"}

    async def handle(call: Call) -> None:
        await call.noop()
        with trace.get_tracer("mine").start_as_current_span("lookup"):
            await call.noop()

    contexts = await run(handle, stream)
    lookup, span = exporter.get_finished_spans()
    assert span.name == "agibridge.v1.CallService/HandleCall"
    assert span.kind is SpanKind.SERVER
    assert span.context is not None
    assert lookup.context is not None
    assert span.parent is not None
    assert format(span.context.trace_id, "032x") == TRACE
    assert format(span.parent.span_id, "016x") == PARENT
    assert span.attributes is not None
    assert span.attributes["agibridge.route"] == "ivr"
    assert span.status.status_code is StatusCode.UNSET
    assert [context["traceparent"].split("-")[2] for context in contexts] == [
        format(span.context.span_id, "016x"),
        format(lookup.context.span_id, "016x"),
    ]


@pytest.mark.parametrize(("error", "status"), [(ValueError("x"), StatusCode.ERROR), (HungUp(), StatusCode.UNSET)])
async def test_a_fault_is_an_error_of_the_span_and_a_hangup_is_not(
    exporter: InMemorySpanExporter, error: Exception, status: StatusCode
) -> None:
    async def handle(_: Call) -> None:
        raise error

    await run(handle, Stream(), fails=True)
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is status


async def test_a_workers_call_takes_the_trace_from_the_first_event(exporter: InMemorySpanExporter) -> None:
    stream = Stream()

    async def handle(_: Call) -> None:
        pass

    task = begin(stream, handle)
    stream.start(trace_context={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    await stream.control()
    stream.end()
    await over(task)
    (span,) = exporter.get_finished_spans()
    assert span.context is not None
    assert format(span.context.trace_id, "032x") == TRACE


async def test_without_the_package_there_is_no_span_and_no_context(
    exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agibridge._tracing._installed", False)

    async def handle(call: Call) -> None:
        await call.noop()

    assert await run(handle, Stream()) == [{}]
    assert not exporter.get_finished_spans()
