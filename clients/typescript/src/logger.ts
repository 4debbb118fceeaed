// Where the library tells what happened to calls.

/** `console` is one, and so are most loggers. */
export interface Logger {
  info(message: string, ...details: unknown[]): void;
  warn(message: string, ...details: unknown[]): void;
  error(message: string, ...details: unknown[]): void;
}

/** Standard error, a line each. */
export const stderrLogger: Logger = {
  info: (message, ...details) => {
    console.error(`agibridge info: ${message}`, ...details);
  },
  warn: (message, ...details) => {
    console.error(`agibridge warning: ${message}`, ...details);
  },
  error: (message, ...details) => {
    console.error(`agibridge error: ${message}`, ...details);
  },
};
