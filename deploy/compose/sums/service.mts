// A game: three sums to solve on the keypad, by a WebSocket service.
import { randomInt } from "node:crypto";
import { type Call, NoInputError, serveWebSocket } from "@agibridge/client";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { NodeSDK } from "@opentelemetry/sdk-node";

const telemetry = new NodeSDK({ traceExporter: new OTLPTraceExporter(), instrumentations: [] });
telemetry.start();

/** Whether the caller solves one. */
async function solves(call: Call): Promise<boolean> {
  const a = randomInt(5, 21);
  const b = randomInt(1, a + 1);
  await call.sayNumber(a);
  await call.streamFile("digits/minus");
  await call.sayNumber(b);
  try {
    const answer = await call.ask("beep", { maxDigits: 2, tries: 2, validate: (digits) => /^\d+$/.test(digits) });
    return Number(answer) === a - b;
  } catch (error) {
    if (error instanceof NoInputError) return false;
    throw error;
  }
}

await serveWebSocket({ host: "0.0.0.0", port: 8080 }, async (call) => {
  await call.answer();
  let solved = 0;
  for (let round = 0; round < 3; round += 1) {
    const right = await solves(call);
    if (right) solved += 1;
    await call.streamFile(right ? "auth-thankyou" : "auth-incorrect");
  }
  await call.streamFile("vm-goodbye");
  await call.end({ variables: { SCORE: String(solved) } });
});
await telemetry.shutdown();
