// Rings a phone, then dials a number for it. Usage: click-to-call API TOKEN CALLER CONTEXT NUMBER
import { Manager } from "@agibridge/client";

const [bridge = "", token, caller = "", context = "", extension = ""] = process.argv.slice(2);
const manager = new Manager({ bridge, token });
const call = await manager.originate(caller, { context, extension }, { callerIdNumber: extension });
console.log(call.outcome, call.detail);
manager.close();
