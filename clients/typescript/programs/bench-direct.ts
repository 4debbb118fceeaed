// The same five commands on a FastAGI library, without the bridge.
import type { AddressInfo } from "node:net";
import agi, { type Context } from "ding-dong";

async function handle(context: Context): Promise<void> {
  await context.onEvent("variables");
  await context.setVariable("CALLED_BY", "bench");
  await context.verbose("a line for the log", 1);
  await context.sendCommand('NOOP "nothing at all"');
  await context.setVariable("MENU", "main,1");
  await context.sendCommand('NOOP "and again nothing"');
  await context.end();
}

const [host = "127.0.0.1", port = "4573"] = (process.argv[2] ?? "127.0.0.1:4573").split(":");
const server = agi((context) => {
  context.on("error", () => undefined);
  handle(context).catch((error: unknown) => {
    console.error(error);
  });
  // Text, as ding-dong takes the number 0 for none.
}).start(port, host);
server.on("listening", () => {
  const bound = server.address() as AddressInfo;
  console.log(`listening on ${bound.address}:${bound.port}`);
});
process.once("SIGTERM", () => process.exit(0));
