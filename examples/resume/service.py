import asyncio
import json
import signal
import sys

import grpc
from agibridge.v1 import call_pb2, call_pb2_grpc, command_pb2 as agi

STEPS = [
    {"answer": agi.Answer()},
    {"get_data": agi.GetData(file="vm-password", max_digits=4)},
    {"stream_file": agi.StreamFile(file="auth-thankyou")},
]


class Pin(call_pb2_grpc.CallServiceServicer):
    async def HandleCall(self, events, context):
        await context.send_initial_metadata(())  # takes the call
        async for event in events:
            if event.HasField("started"):
                before = event.started.resumption  # empty for a new call
                state = json.loads(before.checkpoint or '{"step": 0, "pin": ""}')
                last_id = before.last_command_id
                for result in before.results:
                    note(state, result)
                if before.HasField("running"):
                    continue  # its result comes
            elif event.HasField("result") and note(state, event.result):
                kept = json.dumps(state).encode()
                yield call_pb2.CallControl(checkpoint={"state": kept, "last_result_id": event.result.id})
            else:
                continue
            if state["step"] == len(STEPS) or state.get("gone"):
                yield call_pb2.CallControl(end=call_pb2.EndCall(variables={"PIN": state["pin"]}))
                return
            last_id += 1
            yield call_pb2.CallControl(command=agi.Command(id=last_id, **STEPS[state["step"]]))


def note(state, result):
    if result.error.code == agi.CommandError.CODE_CANCELLED:
        return False  # it was never run: its step is still to be done
    state["step"] += 1
    state["pin"] = result.digits.digits or state["pin"]
    state["gone"] = result.hung_up
    return True


async def main(port):
    server = grpc.aio.server(options=[("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000)])
    call_pb2_grpc.add_CallServiceServicer_to_server(Pin(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop(grace=2)  # no new calls; those that are left then are cut off, and go on elsewhere


asyncio.run(main(sys.argv[1]))
