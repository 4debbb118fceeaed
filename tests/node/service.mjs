// A service on Node with plain `ws` and no SDK: answers, plays a prompt, collects digits, hangs up.

import { WebSocketServer } from "ws";

const SUBPROTOCOL = "agibridge.v1.json";
const SCRIPT = [
  { answer: {} },
  { streamFile: { file: "hello-world" } },
  { getData: { file: "beep", timeout: "5s", maxDigits: 4 } },
];
const OUTCOMES = ["done", "playback", "digits", "error"];

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  path: "/calls",
  handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL,
});
server.on("listening", () => console.log("listening", server.address().port));

server.on("connection", (call) => {
  const send = (control) => call.send(JSON.stringify(control));
  let id = 0;
  const next = (digits) => {
    if (id < SCRIPT.length) send({ command: { id: id + 1, ...SCRIPT[id++] } });
    else send({ end: { variables: { PIN: digits }, hangUp: {} } });
  };

  call.on("message", (frame) => {
    const { started, result, hangup, ended } = JSON.parse(frame);
    if (started) {
      console.log("call from", started.channel.callerIdNumber);
      next();
    } else if (result) {
      const outcome = OUTCOMES.find((name) => name in result);
      console.log(result.id, outcome, result.error?.code ?? "");
      next(result.digits?.digits ?? "none"); // a field at its default is absent
    } else if (hangup) {
      console.log("hangup", hangup.source);
    } else if (ended) {
      console.log("ended", ended.reason);
    }
  });
  call.on("close", (code) => console.log("closed", code));
});
