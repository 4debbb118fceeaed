"""A worker in Python that dials in, from the proto alone: takes every call that it is offered.

Usage: worker.py STUBS ADDRESS TOKEN: the folder with what protoc made of proto/, the bridge's API, the bearer token.
"""

import queue
import sys
import threading

import grpc

stubs, address, token = sys.argv[1:]
sys.path.insert(0, stubs)
from agibridge.v1 import call_pb2 as calls, command_pb2 as commands, worker_pb2 as workers, worker_pb2_grpc

SCRIPT = [
    {"answer": commands.Answer()},
    {"stream_file": commands.StreamFile(file="hello-world")},
    {"get_data": commands.GetData(file="beep", timeout={"seconds": 5}, max_digits=4)},
]
AUTHORIZATION = ("authorization", "Bearer " + token)


def drive(bridge, offer):
    controls = queue.SimpleQueue()
    metadata = [AUTHORIZATION, ("agibridge-offer-token", offer.token)]
    script = enumerate(SCRIPT, 1)
    for event in bridge.TakeCall(iter(controls.get, None), metadata=metadata):
        kind = event.WhichOneof("event")
        digits = ""
        if kind == "started":
            print("call from", event.started.channel.caller_id_number, flush=True)
        elif kind == "result":
            digits = event.result.digits.digits
            print(event.result.id, event.result.WhichOneof("outcome"), flush=True)
        elif kind == "hangup":
            print("hangup", calls.Hangup.Source.Name(event.hangup.source), flush=True)
        elif kind == "ended":
            print("ended", calls.CallEnded.Reason.Name(event.ended.reason), flush=True)
            controls.put(None)
        if kind in ("started", "result"):
            id, command = next(script, (None, None))
            if command:
                controls.put(calls.CallControl(command=commands.Command(id=id, **command)))
            else:
                end = calls.EndCall(variables={"PIN": digits or "none"}, hang_up=calls.HangupChannel())
                controls.put(calls.CallControl(end=end))


bridge = worker_pb2_grpc.WorkerServiceStub(grpc.insecure_channel(address))
reports = queue.SimpleQueue()
reports.put(workers.WorkerReport(hello=workers.WorkerHello(worker_id="lab-1", groups=["lab"], max_calls=4)))
for offer in bridge.Register(iter(reports.get, None), metadata=[AUTHORIZATION]):
    if offer.HasField("registered"):
        print("registered", flush=True)
    elif offer.HasField("call"):
        print("offered", offer.call.group, flush=True)
        threading.Thread(target=drive, args=(bridge, offer.call), daemon=True).start()
