"""A service in Python, from the proto alone: answers, plays a prompt, collects digits, hangs up.

Usage: service.py STUBS, the folder with what protoc made of proto/.
"""

import sys
from concurrent import futures

import grpc

sys.path.insert(0, sys.argv[1])
from agibridge.v1 import call_pb2 as calls, call_pb2_grpc, command_pb2 as commands

SCRIPT = [
    {"answer": commands.Answer()},
    {"stream_file": commands.StreamFile(file="hello-world")},
    {"get_data": commands.GetData(file="beep", timeout={"seconds": 5}, max_digits=4)},
]


class Service(call_pb2_grpc.CallServiceServicer):
    def HandleCall(self, events, context):
        started = next(events).started
        print("call from", started.channel.caller_id_number, flush=True)
        digits = ""
        for id, command in enumerate(SCRIPT, 1):
            yield calls.CallControl(command=commands.Command(id=id, **command))
            result = next(event.result for event in events if event.HasField("result"))
            digits = result.digits.digits
            print(id, result.WhichOneof("outcome"), flush=True)
        end = calls.EndCall(variables={"PIN": digits}, hang_up=calls.HangupChannel())
        yield calls.CallControl(end=end)
        for event in events:
            if event.HasField("ended"):
                print("ended", calls.CallEnded.Reason.Name(event.ended.reason), flush=True)


server = grpc.server(futures.ThreadPoolExecutor(4))
call_pb2_grpc.add_CallServiceServicer_to_server(Service(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print("listening", port, flush=True)
server.wait_for_termination()
