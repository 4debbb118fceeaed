// Writes every event of Asterisk, and comes back when the bridge was restarted. Usage: manager-events API TOKEN
import { Manager } from "@agibridge/client";

const [bridge = "127.0.0.1:4575", token] = process.argv.slice(2);
const manager = new Manager({ bridge, token });
await manager.subscribe((told) => {
  console.log(told.kind === "event" ? String(told) : told);
}).closed;
