// What bench-direct uses of ding-dong, which has no types of its own.
declare module "ding-dong" {
  import type { Server } from "node:net";

  interface Reply {
    readonly code: number;
    readonly result: string;
  }

  export interface Context {
    on(event: "error", listener: (error: Error) => void): this;
    onEvent(event: string): Promise<unknown>;
    setVariable(name: string, value: string): Promise<Reply>;
    verbose(text: string, level: number): Promise<Reply>;
    sendCommand(line: string): Promise<Reply>;
    end(): Promise<void>;
  }

  const agi: (handler: (context: Context) => void) => { start(port: string, host: string): Server };
  export default agi;
}
