"""The FastAGI server."""

import re
from collections.abc import Callable

class FastAGIServer:
    server_address: tuple[str, int]
    def __init__(self, interface: str, port: int, daemon_threads: bool) -> None: ...
    def register_script_handler(self, regex: re.Pattern[str], handler: Callable[..., None]) -> None: ...
    def serve_forever(self) -> None: ...
