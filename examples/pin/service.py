from agibridge import Call, Server


async def handle(call: Call) -> None:
    await call.answer()
    pin = await call.get_data("vm-password", max_digits=4)
    right = pin.digits == "1234"
    await call.stream_file("auth-thankyou" if right else "auth-incorrect")
    await call.set_variable("PIN_OK", "1" if right else "0")


Server(handle, listen="127.0.0.1:50051").run()
