// Says hello, and the caller's number.
import { serve } from "@agibridge/client";
import { listenOn } from "./listen.js";

await serve(listenOn(process.argv[2]), async (call) => {
  await call.answer();
  await call.streamFile("hello-world");
  const number = call.channel.callerIdNumber;
  if (number !== "") await call.sayDigits(number);
});
