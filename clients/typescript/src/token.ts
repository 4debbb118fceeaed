// Bearer tokens.
import { createHash, timingSafeEqual } from "node:crypto";

export function bearer(token: string): string {
  return `Bearer ${token}`;
}

/** Whether `shown`, an `authorization` header, holds `token`. Tells nothing by its time. */
export function permits(token: string | undefined, shown: string | undefined): boolean {
  if (token === undefined) return true;
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(bearer(token)), hash(shown ?? ""));
}
