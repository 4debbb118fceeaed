"""Asks for a PIN, three times at most. 1234 is right."""

from agibridge import Call, NoInput, Server
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


async def handle(call: Call) -> None:
    await call.answer()
    try:
        await call.ask("vm-password", max_digits=4, tries=3, validate=lambda pin: pin == "1234", invalid="auth-incorrect")
    except NoInput:
        await call.stream_file("vm-goodbye")
        return
    await call.set_variable("PIN_OK", "1")


if __name__ == "__main__":
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(insecure=True)))
    trace.set_tracer_provider(provider)
    Server(handle, listen="0.0.0.0:50051").run()
    provider.shutdown()
