// A PIN, then a message that the caller can listen to and record again.
import { type Call, HungUpError, NoInputError, serve } from "@agibridge/client";
import { listenOn } from "./listen.js";

/** Records until the caller is content with it. */
async function record(call: Call, file: string): Promise<void> {
  for (;;) {
    await call.recordFile(file, "wav", { escapeDigits: "#", timeoutMs: 60_000, beep: true, silenceMs: 5_000 });
    let choice;
    while ((choice = await call.menu("vm-review", { 1: "keep", 2: "play", 3: "again" })) === "play") {
      await call.streamFile(file, { escapeDigits: "123" });
    }
    if (choice === "keep") return;
  }
}

await serve(listenOn(process.argv[2]), async (call) => {
  await call.answer();
  const pin = call.queryParameters.get("pin") ?? "1234";
  try {
    const validate = (digits: string) => digits === pin;
    await call.ask("vm-password", { maxDigits: 4, tries: 3, validate, invalid: "vm-incorrect" });
  } catch (error) {
    if (!(error instanceof NoInputError)) throw error;
    await call.streamFile("vm-goodbye");
    await call.end({ hangUp: true });
    return;
  }

  const file = `/tmp/recorder-${call.channel.uniqueId}`;
  try {
    await record(call, file);
    await call.streamFile("auth-thankyou");
    await call.end({ variables: { RECORDED: file } });
  } catch (error) {
    // A caller who hangs up, or chooses nothing, leaves a message too.
    if (!(error instanceof HungUpError || error instanceof NoInputError)) throw error;
    await call.setVariable("RECORDED", file);
  }
});
