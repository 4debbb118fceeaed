// A bridge's ManagerService for tests: answers what was put into `answers`, and keeps what was asked.
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type StatusObject,
} from "@grpc/grpc-js";
import {
  ListServersRequestSchema,
  ListServersResponseSchema,
  type OriginateRequest,
  OriginateRequestSchema,
  OriginateResponseSchema,
  type SendActionRequest,
  SendActionRequestSchema,
  SendActionResponseSchema,
  type WatchEventsRequest,
  WatchEventsRequestSchema,
  WatchEventsResponseSchema,
} from "../src/gen/agibridge/v1/manager_pb.js";
import { Inbox } from "./bridge.js";

/** How something is refused. */
export type Refusal = Pick<StatusObject, "code" | "details">;
type Answer =
  | MessageInitShape<typeof OriginateResponseSchema>
  | MessageInitShape<typeof SendActionResponseSchema>
  | MessageInitShape<typeof ListServersResponseSchema>;

/** A subscription, as the bridge has it. */
export class Watched {
  /** Resolves when the client is gone. */
  readonly cancelled: Promise<void>;

  constructor(private readonly stream: ServerWritableStream<WatchEventsRequest, Uint8Array>) {
    stream.on("error", () => undefined);
    this.cancelled = new Promise((resolve) => {
      stream.on("cancelled", () => {
        resolve();
      });
    });
  }

  get request(): WatchEventsRequest {
    return this.stream.request;
  }

  say(item: MessageInitShape<typeof WatchEventsResponseSchema>["item"]): void {
    this.stream.write(toBinary(WatchEventsResponseSchema, create(WatchEventsResponseSchema, { item })));
  }

  end(refusal?: Refusal): void {
    if (refusal === undefined) this.stream.end();
    else this.stream.emit("error", refusal);
  }
}

export class ManagerBridge {
  /** One for each request: an answer, or how it is refused, or nothing at all. */
  answers: (Answer | { refused: Refusal } | "never")[] = [];
  /** How subscriptions are refused. */
  readonly refusals: Refusal[] = [];
  readonly asked: (OriginateRequest | SendActionRequest)[] = [];
  readonly arrived = new Inbox<Metadata>();
  readonly watches = new Inbox<Watched>();
  private readonly server = new Server();

  async listen(port = 0, credentials = ServerCredentials.createInsecure()): Promise<number> {
    const answering =
      (schema: DescMessage) =>
      (call: ServerUnaryCall<OriginateRequest | SendActionRequest, Uint8Array>, done: sendUnaryData<Uint8Array>) => {
        this.asked.push(call.request);
        this.arrived.push(call.metadata);
        const answer = this.answers.shift() ?? {};
        if (answer === "never") return;
        if ("refused" in answer) done(answer.refused);
        else done(null, toBinary(schema, create(schema, answer as MessageInitShape<DescMessage>)));
      };
    this.server.addService(
      {
        originate: method("Originate", OriginateRequestSchema),
        sendAction: method("SendAction", SendActionRequestSchema),
        listServers: method("ListServers", ListServersRequestSchema),
        watchEvents: method("WatchEvents", WatchEventsRequestSchema, true),
      },
      {
        originate: answering(OriginateResponseSchema),
        sendAction: answering(SendActionResponseSchema),
        listServers: answering(ListServersResponseSchema),
        watchEvents: (stream: ServerWritableStream<WatchEventsRequest, Uint8Array>) => {
          const watched = new Watched(stream);
          const refusal = this.refusals.shift();
          if (refusal === undefined) this.watches.push(watched);
          else watched.end(refusal);
        },
      },
    );
    return new Promise((resolve, reject) => {
      this.server.bindAsync(`127.0.0.1:${port}`, credentials, (error, found) => {
        if (error === null) resolve(found);
        else reject(error);
      });
    });
  }

  close(): void {
    this.server.forceShutdown();
  }
}

function method(name: string, request: DescMessage, responseStream = false) {
  return {
    path: `/agibridge.v1.ManagerService/${name}`,
    requestStream: false as const,
    responseStream,
    requestSerialize: () => Buffer.alloc(0),
    requestDeserialize: (bytes: Buffer) => fromBinary(request, bytes),
    responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
    responseDeserialize: (bytes: Buffer) => bytes,
  };
}
