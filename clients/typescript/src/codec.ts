// Messages of the contract as bytes and as JSON.
import { fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import { type CallControl, CallControlSchema, type CallEvent, CallEventSchema } from "./gen/agibridge/v1/call_pb.js";
import { Undecodable } from "./session.js";

/** The largest message, both ways. */
export const MESSAGE_MAX = 4 * 1024 * 1024;

export function encodeControl(control: CallControl): Uint8Array {
  return fits(toBinary(CallControlSchema, control));
}

export function encodeControlJson(control: CallControl): string {
  const text = toJsonString(CallControlSchema, control);
  fits({ length: Buffer.byteLength(text) });
  return text;
}

/** Never throws: what cannot be decoded is the one call's trouble. */
export function decodeEvent(bytes: Uint8Array): CallEvent | Undecodable {
  try {
    return fromBinary(CallEventSchema, bytes);
  } catch (error) {
    return new Undecodable(error);
  }
}

/** Never throws, as `decodeEvent`. What a newer contract has besides is passed over. */
export function decodeEventJson(text: string): CallEvent | Undecodable {
  try {
    return fromJsonString(CallEventSchema, text, { ignoreUnknownFields: true });
  } catch (error) {
    return new Undecodable(error);
  }
}

function fits<T extends { length: number }>(encoded: T): T {
  if (encoded.length > MESSAGE_MAX) throw new RangeError(`${encoded.length} bytes; a message may have ${MESSAGE_MAX}`);
  return encoded;
}
