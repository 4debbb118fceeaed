// Bearer tokens.
import { createHash, timingSafeEqual } from "node:crypto";
import { type PathLike, readFileSync } from "node:fs";

/** A token that is always the same, or a function that gives one each time. */
export type Token = string | (() => string) | undefined;

/**
 * Reads a file each time, without space around what is in it: for a token that is written anew before it expires, as
 * Kubernetes' projected service account tokens are.
 *
 * ```ts
 * await work({ bridge: "bridge:4575", groups: ["sales"], token: tokenFile("/var/run/secrets/agi-bridge/token") }, handler);
 * ```
 */
export function tokenFile(path: PathLike): () => string {
  return () => readFileSync(path, "utf8").trim();
}

/** The token to show now. Throws when its function gives none that can be shown. */
export function tokenNow(token: Token): string | undefined {
  if (typeof token !== "function") return token;
  const missing = (why: string, cause?: unknown) => new Error(`there is no token: ${why}`, { cause });
  let given: unknown;
  try {
    given = token();
  } catch (error) {
    throw missing(error instanceof Error ? error.message : String(error), error);
  }
  if (typeof given !== "string") throw missing(`its function gave ${typeof given}, and not a string`);
  if (given === "") throw missing("it is empty");
  if (!/^[ -~]+$/.test(given)) throw missing("the token has characters that no header can have");
  return given;
}

export function bearer(token: string): string {
  return `Bearer ${token}`;
}

/** Whether `shown`, an `authorization` header, holds `token`. Tells nothing by its time. */
export function permits(token: string | undefined, shown: string | undefined): boolean {
  if (token === undefined) return true;
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(bearer(token)), hash(shown ?? ""));
}
