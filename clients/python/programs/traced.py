"""Asks for a PIN and hands the call to the route `desk`, traced with OpenTelemetry's SDK as its variables say."""

import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from agibridge import Call, Server

tracer = trace.get_tracer("reception")


async def handle(call: Call) -> None:
    """Drives one call."""
    await call.answer()
    with tracer.start_as_current_span("ask for the PIN"):
        pin = await call.get_data("beep", timeout=5, max_digits=4)
    await call.handoff("desk", pin.digits.encode())


if __name__ == "__main__":
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    server = Server(handle, listen=sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051")
    server.run(ready=lambda: print(f"listening on {server.address}", flush=True))
    provider.shutdown()
