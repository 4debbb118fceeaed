"""Dials the department that the path names, and stores how that went, also when the caller is gone by then."""

import sys
from contextlib import suppress

from agibridge import Call, HungUp, Server

DEPARTMENTS = {
    "sales": "Local/sales@phones",
    "support": "Local/support@phones",
}


async def handle(call: Call) -> None:
    """Drives one call."""
    department = call.path_parameters.get("department", "")
    target = call.query("to") or DEPARTMENTS.get(department)
    if target is None:
        await call.stream_file("pbx-invalid")
        await call.end(fail=f"unknown department: {department}")
        return

    with suppress(HungUp):  # how it went is stored all the same
        await call.exec("Dial", target, "20")
    status = await call.get_variable("DIALSTATUS") or "UNKNOWN"
    await call.database_put("router", call.channel.unique_id, f"{department}:{status}")
    await call.set_variable("ROUTED", f"{department}:{status}")
    if not call.hung_up and status != "ANSWER":
        await call.stream_file("vm-nobodyavail")


if __name__ == "__main__":
    server = Server(handle, listen=sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051")
    server.run(ready=lambda: print(f"listening on {server.address}", flush=True))
