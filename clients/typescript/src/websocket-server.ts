// Serves calls over WebSocket: the bridge connects, and each call is one connection.
import { createServer, type IncomingMessage, type Server as HttpServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer as Sockets, type WebSocket } from "ws";
import { decodeEvent, decodeEventJson, encodeControl, encodeControlJson, MESSAGE_MAX } from "./codec.js";
import type { CallControl } from "./gen/agibridge/v1/call_pb.js";
import type { ServeOptions, ServerOptions } from "./grpc-server.js";
import { Host, run } from "./host.js";
import type { Close, Transport } from "./machine.js";
import type { Handler } from "./session.js";
import type { ServerTls } from "./tls.js";
import { permits } from "./token.js";

export interface WebSocketServerOptions extends ServerOptions {
  /** The path of the URL that the bridge connects to, as `/calls`; others get 404. Unset: any. */
  readonly path?: string;
}

const PROTO = "agibridge.v1.proto";
const JSON_TEXT = "agibridge.v1.json";

/** So many bytes may wait for the network before controls wait in the call. */
const BUFFER_MAX = 256 * 1024;
/** A close's reason has this many bytes at most. */
const REASON_MAX = 123;
/** From our close to the bridge's. */
const CLOSE_MS = 5_000;

/**
 * Serves calls over WebSocket until SIGTERM or SIGINT, which drain, as `serve` does over gRPC. The bridge chooses protobuf or
 * JSON; both are understood.
 * @returns once it has stopped
 * @throws when the address cannot be listened on
 */
export async function serveWebSocket(options: WebSocketServerOptions & ServeOptions, handler: Handler): Promise<void> {
  const server = new WebSocketServer(options, handler);
  await run(server, options.signal, () => options.onListening?.(server.address));
}

/** A WebSocket server of calls, for programs that care for signals and the port themselves; else see `serveWebSocket`. */
export class WebSocketServer extends Host {
  private readonly http: HttpServer;
  private readonly sockets: Sockets;
  private bound: string | undefined;

  constructor(
    private readonly settings: WebSocketServerOptions,
    handler: Handler,
  ) {
    super(handler, settings, settings.maxCalls ?? Infinity);
    this.sockets = new Sockets({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: MESSAGE_MAX,
      handleProtocols: (offered) => [PROTO, JSON_TEXT].find((each) => offered.has(each)) ?? false,
    });
    this.http = httpServer(settings.tls);
    this.http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on("error", () => undefined);
      const refused = this.refusal(request);
      if (refused !== undefined) refuse(socket, refused);
      else
        this.sockets.handleUpgrade(request, socket, head, (each) => {
          this.take(each, request);
        });
    });
  }

  /** `host:port`, once it has started. */
  get address(): string {
    if (this.bound === undefined) throw new Error("the server has not started; await start() first");
    return this.bound;
  }

  override async start(): Promise<void> {
    const { host = "127.0.0.1", port = 50051 } = this.settings;
    const name = host.includes(":") ? `[${host}]` : host;
    await new Promise<void>((resolve, reject) => {
      this.http.once("error", (error) => {
        reject(new Error(`cannot listen on ${name}:${port}: ${error.message}; is another program there?`));
      });
      this.http.listen(port, host, resolve);
    });
    this.bound = `${name}:${(this.http.address() as AddressInfo).port}`;
  }

  protected override onDraining(): void {
    // New connections are still accepted, to be told 503 at once, so that the bridge asks another instance.
  }

  protected override async shutDown(): Promise<void> {
    if (!this.http.listening) return;
    const closed = new Promise<void>((resolve) => {
      this.http.close(() => {
        resolve();
      });
    });
    this.http.closeAllConnections();
    await closed;
  }

  private take(socket: WebSocket, request: IncomingMessage): void {
    const json = socket.protocol === JSON_TEXT;
    const transport = new WebSocketTransport(socket, json);
    const session = this.open(transport, carrierOf(request));
    transport.onReady = () => {
      session.onReady();
    };
    socket.on("message", (data: Buffer, binary) => {
      if (binary === json) {
        transport.closeWith(1003, json ? "text frames were agreed on" : "binary frames were agreed on");
        session.onEnd("the bridge sent a frame of the wrong type");
      } else session.onMessage(json ? decodeEventJson(data.toString()) : decodeEvent(data));
    });
    // A close follows every error.
    socket.on("error", () => undefined);
    socket.on("close", (code) => {
      session.onEnd(`the connection closed with ${code} before \`ended\``);
    });
  }

  private refusal({ headers, url }: IncomingMessage): string | undefined {
    if (!permits(this.settings.token, headers.authorization)) return "401 Unauthorized";
    const { path } = this.settings;
    if (path !== undefined && new URL(url ?? "/", "ws://localhost").pathname !== path) return "404 Not Found";
    if (this.draining || this.full) return "503 Service Unavailable";
    const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((each) => each.trim());
    return offered.includes(PROTO) || offered.includes(JSON_TEXT) ? undefined : "400 Bad Request";
  }
}

/** Controls as frames. */
class WebSocketTransport implements Transport {
  onReady: () => void = () => undefined;
  private closed = false;

  constructor(
    private readonly socket: WebSocket,
    private readonly json: boolean,
  ) {}

  get ready(): boolean {
    return this.socket.bufferedAmount < BUFFER_MAX;
  }

  send(control: CallControl): void {
    const frame = this.json ? encodeControlJson(control) : encodeControl(control);
    // Ready again, at the latest when this frame has left.
    this.socket.send(frame, { binary: !this.json }, () => {
      if (this.ready) this.onReady();
    });
  }

  close({ how, detail }: Close): void {
    this.closeWith(how === "done" ? 1000 : how === "released" ? 1012 : 1011, detail);
  }

  closeWith(code: number, detail: string): void {
    if (this.closed) return;
    this.closed = true;
    let reason = detail;
    while (Buffer.byteLength(reason) > REASON_MAX) reason = reason.slice(0, Math.min(REASON_MAX, reason.length - 1));
    this.socket.close(code, reason);
    const timer = setTimeout(() => {
      this.socket.terminate();
    }, CLOSE_MS);
    this.socket.once("close", () => {
      clearTimeout(timer);
    });
  }
}

function httpServer(tls: ServerTls | undefined): HttpServer {
  const { cert, key, clientCa } = tls ?? {};
  const server =
    tls === undefined
      ? createServer()
      : createTlsServer({
          cert,
          key,
          ca: clientCa,
          requestCert: clientCa !== undefined,
          rejectUnauthorized: clientCa !== undefined,
        });
  server.on("request", (_, response) => {
    response.writeHead(426, { Upgrade: "websocket" }).end("connect by WebSocket\n");
  });
  return server;
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function carrierOf({ headers }: IncomingMessage): Record<string, string> {
  const carrier: Record<string, string> = {};
  for (const name of ["traceparent", "tracestate", "baggage"]) {
    const value = headers[name];
    if (typeof value === "string") carrier[name] = value;
  }
  return carrier;
}
