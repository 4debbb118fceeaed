// A bridge for tests, as far as a service sees one: it opens streams to gRPC servers, and offers calls to workers.
import { once } from "node:events";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type StatusObject,
  status,
} from "@grpc/grpc-js";
import {
  type CallControl,
  CallControlSchema,
  CallEnded_Reason,
  CallEventSchema,
} from "../src/gen/agibridge/v1/call_pb.js";
import { WorkerOfferSchema, type WorkerReport, WorkerReportSchema } from "../src/gen/agibridge/v1/worker_pb.js";
import type { Logger } from "../src/index.js";

export type Event = MessageInitShape<typeof CallEventSchema>["event"];

export const STARTED: Event = { case: "started", value: { callId: "c", route: "test", maxQueuedCommands: 32 } };
export const ENDED: Event = { case: "ended", value: { reason: CallEnded_Reason.SERVICE } };

export function encode(event: Event): Buffer {
  return Buffer.from(toBinary(CallEventSchema, create(CallEventSchema, { event })));
}

/** What the library logs, to be looked at. */
export function logged(): Logger & { lines: string[] } {
  const lines: string[] = [];
  const line = (...parts: unknown[]) => {
    lines.push(parts.map(String).join(" "));
  };
  return { lines, info: line, warn: line, error: line };
}

/** Things that arrive, to be awaited one by one. */
export class Inbox<T> {
  private readonly items: T[] = [];
  private readonly waiting: ((item: T) => void)[] = [];

  push(item: T): void {
    const next = this.waiting.shift();
    if (next === undefined) this.items.push(item);
    else next(item);
  }

  next(): Promise<T> {
    const item = this.items.shift();
    return item === undefined ? new Promise((resolve) => this.waiting.push(resolve)) : Promise.resolve(item);
  }
}

/** The stream of a call, as the bridge has it. */
export class BridgeCall {
  readonly controls = new Inbox<CallControl["control"]>();
  readonly headers: Promise<Metadata>;
  readonly status: Promise<StatusObject>;

  constructor(private readonly stream: ClientDuplexStream<Uint8Array, CallControl>) {
    stream.on("data", ({ control }: CallControl) => {
      this.controls.push(control);
    });
    stream.on("error", () => undefined);
    this.headers = new Promise((resolve) => stream.once("metadata", resolve));
    this.status = new Promise((resolve) => stream.once("status", resolve));
  }

  say(event: Event): void {
    this.stream.write(encode(event));
  }

  sayBytes(bytes: Uint8Array): void {
    this.stream.write(bytes);
  }

  done(id: number): void {
    this.say({ case: "result", value: { id, outcome: { case: "done", value: {} } } });
  }

  halfClose(): void {
    this.stream.end();
  }

  cancel(): void {
    this.stream.cancel();
  }
}

/** Opens streams to a gRPC server of calls. */
export class Bridge {
  readonly client: Client;

  constructor(address: string, channelCredentials = credentials.createInsecure(), options = {}) {
    this.client = new Client(address, channelCredentials, options);
  }

  open(headers: Record<string, string> = {}): BridgeCall {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    const stream = this.client.makeBidiStreamRequest(
      "/agibridge.v1.CallService/HandleCall",
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes: Buffer) => fromBinary(CallControlSchema, bytes),
      metadata,
    );
    return new BridgeCall(stream);
  }

  close(): void {
    this.client.close();
  }
}

type Registration = ServerDuplexStream<WorkerReport, Uint8Array>;
export type TakenCall = ServerDuplexStream<CallControl | Error, Uint8Array>;

const stream = <T>(path: string, requestDeserialize: (bytes: Buffer) => T) => ({
  path,
  requestStream: true as const,
  responseStream: true as const,
  requestSerialize: () => Buffer.alloc(0),
  requestDeserialize,
  responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
  responseDeserialize: (bytes: Buffer) => bytes,
});

/** The side of a bridge that workers dial. */
export class WorkerBridge {
  readonly registrations = new Inbox<{
    stream: Registration;
    metadata: Metadata;
    reports: Inbox<WorkerReport["report"]>;
  }>();
  readonly taken = new Inbox<{
    stream: TakenCall;
    metadata: Metadata;
    controls: Inbox<CallControl["control"] | Error>;
  }>();
  /** How a registration is refused, if it is. */
  refusal: { code: number; details: string } | undefined;
  /** The only token that it takes, if there is one. */
  token: string | undefined;
  private readonly server = new Server();

  async listen(port = 0): Promise<number> {
    this.server.addService(
      {
        register: stream("/agibridge.v1.WorkerService/Register", (bytes) => fromBinary(WorkerReportSchema, bytes)),
        takeCall: stream("/agibridge.v1.WorkerService/TakeCall", (bytes): CallControl | Error => {
          try {
            return fromBinary(CallControlSchema, bytes);
          } catch (error) {
            return error as Error;
          }
        }),
      },
      {
        register: (registration: Registration) => {
          registration.on("error", () => undefined);
          if (this.refusal !== undefined) {
            registration.emit("error", this.refusal);
            return;
          }
          const shown = registration.metadata.get("authorization")[0];
          if (this.token !== undefined && shown !== `Bearer ${this.token}`) {
            registration.emit("error", { code: status.UNAUTHENTICATED, details: "not this one" });
            return;
          }
          const reports = new Inbox<WorkerReport["report"]>();
          registration.on("data", ({ report }: WorkerReport) => {
            reports.push(report);
          });
          registration.on("end", () => registration.end());
          this.offer(registration, { case: "registered", value: { bridgeId: "bridge-1" } });
          this.registrations.push({ stream: registration, metadata: registration.metadata, reports });
        },
        takeCall: (call: TakenCall) => {
          call.on("error", () => undefined);
          const controls = new Inbox<CallControl["control"] | Error>();
          call.on("data", (control: CallControl | Error) => {
            controls.push(control instanceof Error ? control : control.control);
          });
          this.taken.push({ stream: call, metadata: call.metadata, controls });
        },
      },
    );
    return new Promise((resolve, reject) => {
      this.server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, found) => {
        if (error === null) resolve(found);
        else reject(error);
      });
    });
  }

  offer(registration: Registration, offer: MessageInitShape<typeof WorkerOfferSchema>["offer"]): void {
    registration.write(toBinary(WorkerOfferSchema, create(WorkerOfferSchema, { offer })));
  }

  close(): void {
    this.server.forceShutdown();
  }
}

/** Waits for an event of an emitter, as `close` of a socket. */
export async function event(emitter: NodeJS.EventEmitter, name: string): Promise<unknown[]> {
  return (await once(emitter, name)) as unknown[];
}
