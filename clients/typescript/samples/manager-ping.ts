// Pings Asterisk once a second. Usage: manager-ping API TOKEN
import { setTimeout as sleep } from "node:timers/promises";
import { Manager } from "@agibridge/client";

const [bridge = "127.0.0.1:4575", token] = process.argv.slice(2);
const manager = new Manager({ bridge, token });
for (;;) {
  const reply = await manager.sendAction("Ping");
  console.log(reply.headers.get("Ping"), reply.headers.get("Timestamp"));
  await sleep(1000);
}
