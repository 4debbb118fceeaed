// TLS, as PEM text or bytes.

/** PEM, as text or bytes. */
export type Pem = string | Buffer;

export interface ServerTls {
  /** The server's certificate, with its chain. */
  readonly cert: Pem;
  readonly key: Pem;
  /** Who may sign certificates of clients. When set, a client must show one. */
  readonly clientCa?: Pem;
}

export interface ClientTls {
  /** Who signs the bridge's certificate. Unset: the authorities that Node knows. */
  readonly ca?: Pem;
  /** The certificate to show, with its chain. */
  readonly cert?: Pem;
  readonly key?: Pem;
  /** The name in the bridge's certificate, where it is not the host of the address. */
  readonly serverName?: string;
}

export function pem(value: Pem): Buffer {
  return typeof value === "string" ? Buffer.from(value) : value;
}
