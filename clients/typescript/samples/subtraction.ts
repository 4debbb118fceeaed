// A game: three sums to solve on the keypad.
import { randomInt } from "node:crypto";
import { type Call, NoInputError, serve } from "@agibridge/client";
import { listenOn } from "./listen.js";

interface Sum {
  readonly a: number;
  readonly b: number;
}

/** The sums of the query, as `ask=9-4,7-2`, or three by chance. */
function sums(asked: string | null): Sum[] {
  if (asked !== null) {
    return asked.split(",").map((sum) => {
      const [a = 0, b = 0] = sum.split("-").map(Number);
      return { a, b };
    });
  }
  return Array.from({ length: 3 }, () => {
    const a = randomInt(5, 21);
    return { a, b: randomInt(1, a + 1) };
  });
}

/** Whether the caller knows the answer. */
async function solves(call: Call, { a, b }: Sum): Promise<boolean> {
  await call.sayNumber(a);
  await call.streamFile("digits/minus");
  await call.sayNumber(b);
  try {
    const answer = await call.ask("beep", {
      maxDigits: 2,
      timeoutMs: 5_000,
      tries: 2,
      validate: (digits) => /^\d+$/.test(digits),
    });
    return Number(answer) === a - b;
  } catch (error) {
    if (error instanceof NoInputError) return false;
    throw error;
  }
}

await serve(listenOn(process.argv[2]), async (call) => {
  await call.answer();
  const asked = sums(call.queryParameters.get("ask"));
  let solved = 0;
  for (const sum of asked) {
    const right = await solves(call, sum);
    if (right) solved += 1;
    await call.streamFile(right ? "auth-thankyou" : "auth-incorrect");
  }
  await call.streamFile("vm-goodbye");
  await call.end({ variables: { SCORE: `${solved}/${asked.length}` } });
});
