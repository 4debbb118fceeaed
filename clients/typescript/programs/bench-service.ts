// Serves the five commands that are measured, over gRPC.
import { serve } from "@agibridge/client";
import { listenOn } from "../samples/listen.js";

await serve(listenOn(process.argv[2]), async (call) => {
  await call.setVariable("CALLED_BY", "bench");
  await call.verbose("a line for the log", { level: 1 });
  await call.noop("nothing at all");
  await call.setVariable("MENU", "main,1");
  await call.noop("and again nothing");
});
