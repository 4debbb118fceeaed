import asyncio

import grpc
from agibridge.v1 import call_pb2, call_pb2_grpc, command_pb2 as agi


class Pin(call_pb2_grpc.CallServiceServicer):
    async def HandleCall(self, events, context):
        def run(id, **command):
            return call_pb2.CallControl(command=agi.Command(id=id, **command))

        await context.send_initial_metadata(())  # takes the call
        yield run(1, answer=agi.Answer())
        yield run(2, get_data=agi.GetData(file="vm-password", max_digits=4), requires_success=True)
        async for event in events:
            if event.result.id == 2:
                right = event.result.digits.digits == "1234"
                yield run(3, stream_file=agi.StreamFile(file="auth-thankyou" if right else "auth-incorrect"))
                yield call_pb2.CallControl(end=call_pb2.EndCall(variables={"PIN_OK": str(int(right))}))
                return


async def main():
    pings = [("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000)]  # the bridge's keepalive is welcome
    server = grpc.aio.server(options=pings)
    call_pb2_grpc.add_CallServiceServicer_to_server(Pin(), server)
    server.add_insecure_port("127.0.0.1:50051")
    await server.start()
    await server.wait_for_termination()


asyncio.run(main())
