// What a program that handles calls needs.
export { Batch, type BatchOptions, type BatchOutcomes, type BatchValues } from "./batch.js";
export { Call, type CallEvents } from "./call.js";
export type {
  ChannelOptions,
  CommandOptions,
  ControlStreamFileOptions,
  EscapeOptions,
  GetDataOptions,
  GetOptionOptions,
  RecordFileOptions,
  SayAlphaOptions,
  SayDateTimeOptions,
  SayNumberOptions,
  SetCallerIdOptions,
  SetMusicOptions,
  SpeechRecognizeOptions,
  StreamFileOptions,
  TimeoutOptions,
  VerboseOptions,
} from "./commands.js";
export type { NextDigitOptions, PressedDigit } from "./digits.js";
export {
  AgiBridgeError,
  CallLostError,
  CommandError,
  type ErrorCode,
  HungUpError,
  ManagerError,
  MisuseError,
  NoInputError,
  type StatusName,
} from "./errors.js";
export type { Channel, Draining, Ended, EndOptions, Hangup, Progress, Resumption, RunningCommand } from "./facts.js";
export { GrpcServer, type GrpcServerOptions, serve, type ServeOptions, type ServerOptions } from "./grpc-server.js";
export type { HostOptions } from "./host.js";
export type { Logger } from "./logger.js";
export {
  type ActionOptions,
  Manager,
  type ManagerOptions,
  type OriginateOptions,
  type RequestOptions,
} from "./manager.js";
export {
  type ActionReply,
  type Destination,
  type Lost,
  ManagerEvent,
  ManagerHeaders,
  type Missed,
  type Originated,
  type Outcome,
  type ServerState,
  type Told,
} from "./manager-facts.js";
export { type EventHandler, type SubscribeOptions, Subscription } from "./subscription.js";
export type { AskOptions, ConfirmOptions, PlayOptions, PromptOptions } from "./prompts.js";
export type {
  ChannelState,
  CommandName,
  Digits,
  GosubReturn,
  JournalEntry,
  Playback,
  RawReply,
  Recording,
  ResultKind,
  ResultKinds,
  ResultOf,
  Speech,
  SpeechMatch,
} from "./results.js";
export type { Handler, HandlerOptions } from "./session.js";
export type { ClientTls, Pem, ServerTls } from "./tls.js";
export { tokenFile } from "./token.js";
export { serveWebSocket, WebSocketServer, type WebSocketServerOptions } from "./websocket-server.js";
export { work, Worker, type WorkerOptions, type WorkOptions } from "./worker.js";
