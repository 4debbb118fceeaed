// Serves calls whose handlers do what scripts say, and reports each call as a line of JSON.
import { AgiBridgeError, serve, serveWebSocket, tokenFile, work } from "@agibridge/client";
import type { Json } from "./json.js";
import { scripted } from "./script.js";

const [way, scripts, api, shown] = process.argv.slice(2);

function report(line: Json): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const handler = scripted(scripts ?? ".", report);
const onListening = (address: string) => {
  report({ event: "listening", address });
};

switch (way) {
  case "grpc":
    await serve({ port: 0, onListening }, handler);
    break;
  case "websocket":
    await serveWebSocket({ port: 0, onListening }, handler);
    break;
  case "worker": {
    const onRegistered = () => {
      report({ event: "registered" });
    };
    const token = shown?.startsWith("file:") ? tokenFile(shown.slice("file:".length)) : shown;
    try {
      await work({ bridge: api ?? "", groups: ["kit"], token, onRegistered }, handler);
    } catch (error) {
      if (!(error instanceof AgiBridgeError)) throw error;
      console.error(error.message);
      process.exitCode = 1;
    }
    break;
  }
  default:
    console.error("usage: conformance grpc SCRIPTS | websocket SCRIPTS | worker SCRIPTS API [TOKEN]");
    process.exitCode = 2;
}
