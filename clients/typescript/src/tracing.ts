// OpenTelemetry, where it is installed: a handler's span continues the call's trace, and commands carry the active context.
import { createRequire } from "node:module";
import { textOf } from "./errors.js";

/** A handler's span. */
export interface CallSpan {
  /** Runs the handler with the span as the active one. */
  run<T>(work: () => T): T;
  /** @param fault what the handler died of; undefined when it ended well */
  end(fault: unknown): void;
}

/** What reads and writes trace headers. */
export type Carrier = Record<string, string>;

const otel = load();

function load(): typeof import("@opentelemetry/api") | undefined {
  try {
    return createRequire(import.meta.url)("@opentelemetry/api") as typeof import("@opentelemetry/api");
  } catch {
    return undefined; // It is optional.
  }
}

/** The active trace context, as a command carries it; empty without tracing. */
export function traceContext(): Carrier {
  const carrier: Carrier = {};
  otel?.propagation.inject(otel.context.active(), carrier);
  return carrier;
}

/** Starts the span of a handler, as a child of the context that `carrier` (the stream's metadata) holds. */
export function startSpan(carrier: Carrier, attributes: Record<string, string | number>): CallSpan {
  if (otel === undefined) return { run: (work) => work(), end: () => undefined };
  const { context, propagation, trace, SpanKind, SpanStatusCode, ROOT_CONTEXT } = otel;
  const parent = propagation.extract(ROOT_CONTEXT, carrier);
  const tracer = trace.getTracer("@agibridge/client");
  const span = tracer.startSpan("agibridge.v1.CallService/HandleCall", { kind: SpanKind.SERVER, attributes }, parent);
  const active = trace.setSpan(parent, span);
  return {
    run: (work) => context.with(active, work),
    end: (fault) => {
      if (fault !== undefined) {
        const error = fault instanceof Error ? fault : new Error(textOf(fault));
        span.recordException(error);
        span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
        span.setAttribute("error.type", error.name);
      }
      span.end();
    },
  };
}
