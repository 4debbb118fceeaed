// Dials a department, and stores what became of it, also when the caller has hung up.
import { HungUpError, serve } from "@agibridge/client";
import { listenOn } from "./listen.js";

const DEPARTMENTS = new Map([
  ["sales", "PJSIP/100"],
  ["support", "PJSIP/200"],
]);

await serve(listenOn(process.argv[2]), async (call) => {
  const department = call.pathParameters.department ?? "";
  const target = call.queryParameters.get("to") ?? DEPARTMENTS.get(department);
  if (target === undefined) {
    await call.streamFile("pbx-invalid");
    await call.end({ failDialplan: { reason: `there is no department ${department}` } });
    return;
  }

  try {
    await call.exec("Dial", [target, "20"]);
  } catch (error) {
    // The caller may be gone; what follows works on a dead channel too.
    if (!(error instanceof HungUpError)) throw error;
  }
  const status = (await call.getVariable("DIALSTATUS")) ?? "";
  const routed = `${department}:${status}`;
  await call.databasePut("router", call.channel.uniqueId, routed);
  await call.setVariable("ROUTED", routed);
  if (!call.hungUp && status !== "ANSWER") await call.streamFile("vm-nobodyavail");
});
