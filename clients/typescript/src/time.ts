// Durations: milliseconds in JavaScript, seconds and nanoseconds in the contract.
import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";

const LONGEST_MS = 315_576_000_000_000;

/**
 * The contract's duration; unset stays unset.
 * @throws {RangeError} when it is negative, not finite, or above 10,000 years
 */
export function durationFromMs(ms: number | undefined, field: string): Duration | undefined {
  if (ms === undefined) return undefined;
  if (!(ms >= 0 && ms <= LONGEST_MS)) {
    throw new RangeError(`${field} is ${ms}; it must be a number of milliseconds, zero or more`);
  }
  const seconds = Math.floor(ms / 1000);
  const nanos = Math.min(Math.round((ms - seconds * 1000) * 1e6), 999_999_999);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos });
}

export function msFromDuration(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

/** @throws {RangeError} when the date is invalid */
export function timestampFromDate(date: Date, field: string): Timestamp {
  const ms = date.getTime();
  if (Number.isNaN(ms)) throw new RangeError(`${field} is an invalid Date`);
  const seconds = Math.floor(ms / 1000);
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1e6 });
}

export function dateFromTimestamp(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp && new Date(Number(timestamp.seconds) * 1000 + timestamp.nanos / 1e6);
}
