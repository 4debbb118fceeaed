// The gRPC server, asked by a real client in the same process.
import assert from "node:assert/strict";
import { test } from "./test.js";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { credentials, status } from "@grpc/grpc-js";
import {
  type HealthCheckResponse,
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as Serving,
  HealthCheckResponseSchema,
} from "../src/gen/grpc/health/v1/health_pb.js";
import {
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../src/gen/grpc/reflection/v1/reflection_pb.js";
import { GrpcServer, type GrpcServerOptions, type Handler, MisuseError, serve } from "../src/index.js";
import { Bridge, ENDED, Inbox, logged, STARTED } from "./bridge.js";

/** Runs a server and a bridge for the test, and stops both after it. */
async function serving(
  options: GrpcServerOptions,
  handler: Handler,
  work: (bridge: Bridge, server: GrpcServer, log: string[]) => Promise<void>,
): Promise<void> {
  const logger = logged();
  const server = new GrpcServer({ port: 0, logger, ...options }, handler);
  await server.start();
  const bridge = new Bridge(server.address);
  try {
    await work(bridge, server, logger.lines);
  } finally {
    bridge.close();
    await server.drain(0);
  }
}

test("a call is taken with headers at once, driven, and ended", async () => {
  const handler: Handler = async (call) => {
    await call.answer();
  };
  await serving({}, handler, async (bridge) => {
    const call = bridge.open();
    await call.headers;
    call.say(STARTED);
    const command = await call.controls.next();
    assert.equal(command.case, "command");
    call.done(1);
    assert.equal((await call.controls.next()).case, "end");
    call.say(ENDED);
    assert.equal((await call.status).code, status.OK);
  });
});

test("a handler that throws ends the stream with INTERNAL, and the server lives on", async () => {
  const handler: Handler = () => {
    throw new TypeError("oh dear");
  };
  await serving({}, handler, async (bridge, _, log) => {
    for (let n = 0; n < 2; n += 1) {
      const call = bridge.open();
      call.say(STARTED);
      assert.equal((await call.status).code, status.INTERNAL);
    }
    assert.match(log.join(), /oh dear/);
  });
});

test("a release ends the stream with UNAVAILABLE", async () => {
  const handler: Handler = async (call) => {
    await call.release("elsewhere");
  };
  await serving({}, handler, async (bridge) => {
    const call = bridge.open();
    call.say(STARTED);
    const { code, details } = await call.status;
    assert.deepEqual([code, details], [status.UNAVAILABLE, "elsewhere"]);
  });
});

test("bytes that are no message, and an unexpected half-close, end their own call only", async () => {
  const handler: Handler = async (call) => {
    await call.waitFor("ended").catch(() => undefined);
  };
  await serving({}, handler, async (bridge) => {
    const other = bridge.open();
    other.say(STARTED);
    const broken = bridge.open();
    broken.say(STARTED);
    broken.sayBytes(Uint8Array.of(0xff));
    assert.equal((await broken.status).code, status.INTERNAL);
    const closed = bridge.open();
    closed.say(STARTED);
    closed.halfClose();
    assert.equal((await closed.status).code, status.INTERNAL);
    other.say(ENDED);
    assert.equal((await other.status).code, status.OK);
  });
});

test("a stream that breaks cancels what its handler waits for", async () => {
  const waiting = new Inbox<unknown>();
  const handler: Handler = async (call) => {
    waiting.push("started");
    waiting.push(await call.noop().catch((error: unknown) => error));
  };
  await serving({}, handler, async (bridge) => {
    const call = bridge.open();
    call.say(STARTED);
    await waiting.next();
    await call.controls.next();
    call.cancel();
    assert.match(String(await waiting.next()), /CallLostError/);
  });
});

test("each handler knows its own call, also when calls run at once", async () => {
  const calls = new Inbox<Parameters<Handler>[0]>();
  const outcome = new Inbox<unknown>();
  let first = true;
  const handler: Handler = async (call) => {
    if (first) {
      first = false;
      calls.push(call);
      await call.waitFor("ended");
      return;
    }
    const other = await calls.next();
    outcome.push(await other.noop().catch((error: unknown) => error));
  };
  await serving({}, handler, async (bridge) => {
    const [one, two] = [bridge.open(), bridge.open()];
    one.say(STARTED);
    await one.headers;
    two.say(STARTED);
    assert.ok((await outcome.next()) instanceof MisuseError);
    one.say(ENDED);
    two.say(ENDED);
    await Promise.all([one.status, two.status]);
  });
});

test("calls without the token are refused before they are taken", async () => {
  const handler: Handler = (call) => call.end();
  await serving({ token: "secret" }, handler, async (bridge) => {
    assert.equal((await bridge.open().status).code, status.UNAUTHENTICATED);
    assert.equal((await bridge.open({ authorization: "Bearer wrong" }).status).code, status.UNAUTHENTICATED);
    const call = bridge.open({ authorization: "Bearer secret" });
    await call.headers;
    call.say(STARTED);
    call.say(ENDED);
    assert.equal((await call.status).code, status.OK);
  });
});

test("one call above max_calls is refused", async () => {
  const handler: Handler = (call) => call.waitFor("ended");
  await serving({ maxCalls: 1 }, handler, async (bridge) => {
    const call = bridge.open();
    await call.headers;
    assert.equal((await bridge.open().status).code, status.RESOURCE_EXHAUSTED);
    call.say(STARTED);
    call.say(ENDED);
    await call.status;
  });
});

test("a drain refuses new calls, tells health, lets calls finish, and releases what is left", async () => {
  const handler: Handler = (call) => call.waitFor("ended");
  await serving({}, handler, async (bridge, server) => {
    const health = watch(bridge, "agibridge.v1.CallService");
    assert.equal((await health.next()).status, Serving.SERVING);
    const [finishes, stays] = [bridge.open(), bridge.open()];
    finishes.say(STARTED);
    stays.say(STARTED);
    await Promise.all([finishes.headers, stays.headers]);
    const stopped = server.drain(60_000);
    assert.equal((await health.next()).status, Serving.NOT_SERVING);
    assert.equal((await bridge.open().status).code, status.UNAVAILABLE);
    finishes.say(ENDED);
    assert.equal((await finishes.status).code, status.OK);
    void server.drain(0);
    assert.equal((await stays.status).code, status.UNAVAILABLE);
    await stopped;
  });
});

test("health is told for the server and for its service, and for nothing else", async () => {
  await serving(
    {},
    () => undefined,
    async (bridge) => {
      assert.equal(await check(bridge, ""), Serving.SERVING);
      assert.equal(await check(bridge, "agibridge.v1.CallService"), Serving.SERVING);
      assert.equal(await check(bridge, "other"), status.NOT_FOUND);
    },
  );
});

test("reflection lists the services and describes the call service, unless it is off", async () => {
  await serving(
    {},
    () => undefined,
    async (bridge) => {
      const listed = await reflect(bridge, { case: "listServices", value: "" });
      assert.ok(listed.case === "listServicesResponse");
      assert.ok(listed.value.service.some(({ name }) => name === "agibridge.v1.CallService"));
      const described = await reflect(bridge, { case: "fileContainingSymbol", value: "agibridge.v1.CallService" });
      assert.ok(described.case === "fileDescriptorResponse");
      assert.equal(described.value.fileDescriptorProto.length, 4);
      const missing = await reflect(bridge, { case: "fileContainingSymbol", value: "none" });
      assert.equal(missing.case, "errorResponse");
    },
  );
  await serving(
    { reflection: false },
    () => undefined,
    async (bridge) => {
      await assert.rejects(reflect(bridge, { case: "listServices", value: "" }), { code: status.UNIMPLEMENTED });
    },
  );
});

test("an address that is taken is an error that says so", async () => {
  await serving(
    {},
    () => undefined,
    async (_, server) => {
      const port = Number(server.address.split(":")[1]);
      await assert.rejects(
        serve({ port }, () => undefined),
        /cannot listen .*another program/,
      );
    },
  );
});

test("serve drains when its signal aborts", async () => {
  const stop = new AbortController();
  const addresses = new Inbox<string>();
  const served = serve(
    {
      port: 0,
      signal: stop.signal,
      onListening: (address) => {
        addresses.push(address);
      },
    },
    () => undefined,
  );
  assert.match(await addresses.next(), /^127\.0\.0\.1:\d+$/);
  stop.abort();
  await served;
});

function watch(bridge: Bridge, service: string): Inbox<HealthCheckResponse> {
  const inbox = new Inbox<HealthCheckResponse>();
  bridge.client
    .makeServerStreamRequest(
      "/grpc.health.v1.Health/Watch",
      (request: string) =>
        Buffer.from(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service: request }))),
      (bytes: Buffer) => fromBinary(HealthCheckResponseSchema, bytes),
      service,
    )
    .on("data", (response: HealthCheckResponse) => {
      inbox.push(response);
    })
    .on("error", () => undefined);
  return inbox;
}

function check(bridge: Bridge, service: string): Promise<number> {
  return new Promise((resolve) => {
    bridge.client.makeUnaryRequest(
      "/grpc.health.v1.Health/Check",
      (request: string) =>
        Buffer.from(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service: request }))),
      (bytes: Buffer) => fromBinary(HealthCheckResponseSchema, bytes),
      service,
      (error, response) => {
        resolve(error === null ? (response?.status ?? -1) : error.code);
      },
    );
  });
}

function reflect(
  bridge: Bridge,
  messageRequest: { case: "listServices" | "fileContainingSymbol"; value: string },
): Promise<ServerReflectionResponse["messageResponse"]> {
  return new Promise((resolve, reject) => {
    const asking = bridge.client.makeBidiStreamRequest(
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes: Buffer) => fromBinary(ServerReflectionResponseSchema, bytes),
    );
    asking.on("error", reject);
    asking.on("data", ({ messageResponse }: ServerReflectionResponse) => {
      resolve(messageResponse);
    });
    const request = create(ServerReflectionRequestSchema, { messageRequest });
    asking.end(toBinary(ServerReflectionRequestSchema, request));
  });
}

test("TLS asks for a client's certificate where an authority is set", async () => {
  const { cert, key } = await import("./certificate.js");
  const handler: Handler = (call) => call.end();
  const server = new GrpcServer({ port: 0, logger: logged(), tls: { cert, key, clientCa: cert } }, handler);
  await server.start();
  const pem = Buffer.from(cert);
  const named = { "grpc.ssl_target_name_override": "localhost" };
  const stranger = new Bridge(server.address, credentials.createSsl(pem), named);
  assert.equal((await stranger.open().status).code, status.UNAVAILABLE);
  const known = new Bridge(server.address, credentials.createSsl(pem, Buffer.from(key), pem), named);
  const call = known.open();
  await call.headers;
  call.say(STARTED);
  call.say(ENDED);
  assert.equal((await call.status).code, status.OK);
  stranger.close();
  known.close();
  await server.drain(0);
});
