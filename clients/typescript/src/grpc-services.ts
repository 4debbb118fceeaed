// Health and reflection, as gRPC's own tools speak them.
import type { ServerDuplexStream, ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { create, type DescFile, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { file_agibridge_v1_call } from "./gen/agibridge/v1/call_pb.js";
import {
  file_grpc_health_v1_health,
  type HealthCheckRequest,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Serving,
  HealthCheckResponseSchema,
} from "./gen/grpc/health/v1/health_pb.js";
import {
  file_grpc_reflection_v1_reflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "./gen/grpc/reflection/v1/reflection_pb.js";

/** The name of the service that handles calls. */
export const CALL_SERVICE = "agibridge.v1.CallService";

/** A method as grpc-js wants it, of two messages. */
export function method<I extends DescMessage, O extends DescMessage>(
  path: string,
  request: I,
  response: O,
  { requestStream, responseStream }: { requestStream: boolean; responseStream: boolean },
) {
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: (message: MessageShape<I>) => Buffer.from(toBinary(request, message)),
    requestDeserialize: (bytes: Buffer): MessageShape<I> => fromBinary(request, bytes),
    responseSerialize: (message: MessageShape<O>) => Buffer.from(toBinary(response, message)),
    responseDeserialize: (bytes: Buffer): MessageShape<O> => fromBinary(response, bytes),
  };
}

/** `grpc.health.v1` for the server as a whole and for its call service. */
export class Health {
  static readonly definition = {
    check: method("/grpc.health.v1.Health/Check", HealthCheckRequestSchema, HealthCheckResponseSchema, {
      requestStream: false,
      responseStream: false,
    }),
    watch: method("/grpc.health.v1.Health/Watch", HealthCheckRequestSchema, HealthCheckResponseSchema, {
      requestStream: false,
      responseStream: true,
    }),
  };

  readonly implementation = {
    check: (
      call: ServerUnaryCall<HealthCheckRequest, HealthCheckResponse>,
      answer: sendUnaryData<HealthCheckResponse>,
    ): void => {
      const found = this.of(call.request.service);
      if (found !== Serving.SERVICE_UNKNOWN) answer(null, create(HealthCheckResponseSchema, { status: found }));
      else answer({ code: status.NOT_FOUND, details: `there is no service ${call.request.service}` });
    },
    watch: (call: ServerWritableStream<HealthCheckRequest, HealthCheckResponse>): void => {
      this.watchers.add(call);
      call.on("error", () => undefined);
      call.on("close", () => this.watchers.delete(call));
      call.on("cancelled", () => this.watchers.delete(call));
      call.write(create(HealthCheckResponseSchema, { status: this.of(call.request.service) }));
    },
  };

  private serving = true;
  private readonly watchers = new Set<ServerWritableStream<HealthCheckRequest, HealthCheckResponse>>();

  /** Tells every watcher that new calls should go elsewhere. */
  notServing(): void {
    this.serving = false;
    for (const call of this.watchers) {
      call.write(create(HealthCheckResponseSchema, { status: this.of(call.request.service) }));
    }
  }

  /** Ends the watchers' streams, which would keep the server open. */
  end(): void {
    for (const call of this.watchers) call.end();
    this.watchers.clear();
  }

  private of(service: string): Serving {
    if (service !== "" && service !== CALL_SERVICE) return Serving.SERVICE_UNKNOWN;
    return this.serving ? Serving.SERVING : Serving.NOT_SERVING;
  }
}

const FILES = closure([file_agibridge_v1_call, file_grpc_health_v1_health, file_grpc_reflection_v1_reflection]);

const reflectionMethod = (version: string) =>
  method(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    ServerReflectionRequestSchema,
    ServerReflectionResponseSchema,
    { requestStream: true, responseStream: true },
  );

/** Reflection by its name of today, and by that of older tools, whose messages are the same. */
export const reflectionDefinitions = [
  { serverReflectionInfo: reflectionMethod("v1") },
  { serverReflectionInfo: reflectionMethod("v1alpha") },
];

export const reflection = {
  serverReflectionInfo(call: ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>): void {
    call.on("error", () => undefined);
    call.on("data", (request: ServerReflectionRequest) => {
      // Whoever asks faster than it reads is made to wait.
      if (!call.write(reflect(request))) {
        call.pause();
        call.once("drain", () => call.resume());
      }
    });
    call.on("end", () => call.end());
  },
};

function reflect(request: ServerReflectionRequest): ServerReflectionResponse {
  return create(ServerReflectionResponseSchema, {
    validHost: request.host,
    originalRequest: request,
    messageResponse: answerOf(request.messageRequest),
  });
}

function answerOf(asked: ServerReflectionRequest["messageRequest"]) {
  switch (asked.case) {
    case "listServices": {
      const service = FILES.flatMap(({ services }) => services).map(({ typeName }) => ({ name: typeName }));
      return { case: "listServicesResponse" as const, value: { service } };
    }
    case "fileByFilename":
      return describe(FILES.find(({ proto }) => proto.name === asked.value));
    case "fileContainingSymbol":
      return describe(FILES.find((file) => symbols(file).has(asked.value)));
    default:
      return describe(undefined);
  }
}

function describe(file: DescFile | undefined) {
  if (file === undefined) {
    const value = { errorCode: status.NOT_FOUND, errorMessage: "there is no such file or symbol" };
    return { case: "errorResponse" as const, value };
  }
  const fileDescriptorProto = closure([file]).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto } };
}

function symbols(file: DescFile): Set<string> {
  const names = new Set<string>();
  const add = (messages: readonly DescMessage[]) => {
    for (const message of messages) {
      names.add(message.typeName);
      for (const { typeName } of message.nestedEnums) names.add(typeName);
      add(message.nestedMessages);
    }
  };
  add(file.messages);
  for (const { typeName } of file.enums) names.add(typeName);
  for (const service of file.services) {
    names.add(service.typeName);
    for (const { name } of service.methods) names.add(`${service.typeName}.${name}`);
  }
  return names;
}

/** The files, and all that they import, each once. */
function closure(files: readonly DescFile[]): DescFile[] {
  const found = new Set<DescFile>();
  const add = (file: DescFile) => {
    if (found.has(file)) return;
    found.add(file);
    file.dependencies.forEach(add);
  };
  files.forEach(add);
  return [...found];
}
