// Where a sample serves: the address of its command line.
import type { GrpcServerOptions, ServeOptions } from "@agibridge/client";

export function listenOn(address = "127.0.0.1:50051"): GrpcServerOptions & ServeOptions {
  const colon = address.lastIndexOf(":");
  return {
    host: address.slice(0, colon),
    port: Number(address.slice(colon + 1)),
    onListening: (bound) => {
      console.log(`listening on ${bound}`);
    },
  };
}
