// Enum values of the contract as text, so that a value of a newer contract keeps its number instead of getting lost.

/** A value that this version of the library does not know, by its number. */
export type Unknown = `UNKNOWN(${number})`;

/**
 * The contract's name of an enum's value without the enum's own prefix, as `HANGUP` of `REASON_HANGUP`.
 * @param values the generated enum, whose members are such names already
 */
export function nameOf<T extends Record<string, string | number>>(
  values: T,
  value: number,
): Extract<keyof T, string> | Unknown {
  const name = values[value];
  return typeof name === "string" ? (name as Extract<keyof T, string>) : `UNKNOWN(${value})`;
}

/** The value of a name that `nameOf` gave. */
export function valueOf<T extends Record<string, string | number>>(
  values: T,
  name: Extract<keyof T, string> | Unknown,
): T[keyof T] {
  const known = (values as Record<string, unknown>)[name];
  return (known ?? Number(/\d+/.exec(name)?.[0])) as T[keyof T];
}
