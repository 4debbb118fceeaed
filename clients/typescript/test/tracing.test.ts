// Tracing, with OpenTelemetry's own SDK.
import assert from "node:assert/strict";
import { test } from "./test.js";
import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { GrpcServer, type Handler } from "../src/index.js";
import { Bridge, ENDED, logged, STARTED } from "./bridge.js";

const exporter = new InMemorySpanExporter();
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("a handler's span continues the call's trace, and each command carries the active span", async () => {
  exporter.reset();
  const handler: Handler = async (call) => {
    await call.noop();
    await trace.getTracer("test").startActiveSpan("inner", async (span) => {
      await call.noop();
      span.end();
    });
  };
  const server = new GrpcServer({ port: 0, logger: logged() }, handler);
  await server.start();
  const bridge = new Bridge(server.address);
  const call = bridge.open({ traceparent: PARENT });
  call.say(STARTED);
  const parents: string[] = [];
  for (let id = 1; id <= 2; id += 1) {
    const command = await call.controls.next();
    assert.ok(command.case === "command");
    parents.push(command.value.traceContext.traceparent ?? "");
    call.done(id);
  }
  call.say(ENDED);
  await call.status;
  bridge.close();
  await server.drain(0);

  const spans = exporter.getFinishedSpans();
  const handled = spans.find(({ name }) => name === "agibridge.v1.CallService/HandleCall");
  const inner = spans.find(({ name }) => name === "inner");
  assert.equal(handled?.kind, SpanKind.SERVER);
  assert.equal(handled.spanContext().traceId, "0af7651916cd43dd8448eb211c80319c");
  assert.equal(handled.parentSpanContext?.spanId, "b7ad6b7169203331");
  assert.equal(handled.attributes["agibridge.call.id"], "c");
  const ids = parents.map((parent) => parent.split("-")[2]);
  assert.deepEqual(ids, [handled.spanContext().spanId, inner?.spanContext().spanId]);
});

test("a handler that throws is a fault in its span", async () => {
  exporter.reset();
  const server = new GrpcServer({ port: 0, logger: logged() }, () => {
    throw new TypeError("oh dear");
  });
  await server.start();
  const bridge = new Bridge(server.address);
  const call = bridge.open();
  call.say(STARTED);
  await call.status;
  bridge.close();
  await server.drain(0);
  const [span] = exporter.getFinishedSpans();
  assert.equal(span?.status.message, "oh dear");
  assert.equal(span.attributes["error.type"], "TypeError");
});
