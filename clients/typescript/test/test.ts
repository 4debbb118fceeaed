// A test of node:test, whose promise is the runner's to await.
import { test as register } from "node:test";

export function test(name: string, work: () => void | Promise<void>): void {
  void register(name, work);
}
