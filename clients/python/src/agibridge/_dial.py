"""How this library connects to a bridge's API: address, TLS, and the pauses between tries."""

from __future__ import annotations

import random

import grpc
import grpc.aio

from ._version import __version__
from .errors import MisuseError
from .tls import ClientTls, pem

MESSAGE_MAX = 4 * 1024 * 1024
"""The longest message, both ways."""
PAUSE_MIN, PAUSE_MAX = 0.1, 10.0
CONNECT_TIMEOUT = 5.0
"""How long an attempt to connect may take."""


def checked(bridge: str) -> str:
    """Gives the address, if it is one."""
    if not bridge.rpartition(":")[2].isdecimal():
        raise MisuseError(f"{bridge!r} is no address of a bridge: write host:port, as bridge.example:4575")
    return bridge


def credentials(token: str | None) -> tuple[tuple[str, str], ...]:
    """Gives the metadata that shows a token."""
    return (("authorization", f"Bearer {token}"),) if token is not None else ()


def dial(address: str, bridge: str, tls: ClientTls | None) -> grpc.aio.Channel:
    """Makes a channel to ``address``, which is one of those of the name ``bridge``."""
    options: list[tuple[str, str | int]] = [
        ("grpc.primary_user_agent", f"agi-bridge-python/{__version__}"),
        ("grpc.default_authority", bridge),
        ("grpc.max_receive_message_length", MESSAGE_MAX),
        ("grpc.max_send_message_length", MESSAGE_MAX),
        ("grpc.http2.lookahead_bytes", 1024 * 1024),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.initial_reconnect_backoff_ms", int(PAUSE_MIN * 1000)),
        ("grpc.max_reconnect_backoff_ms", int(PAUSE_MAX * 1000)),
        ("grpc.min_reconnect_backoff_ms", int(CONNECT_TIMEOUT * 1000)),  # no pause, whatever its name says
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
    ]
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options)
    options.append(("grpc.ssl_target_name_override", tls.server_name or bridge.rpartition(":")[0]))
    secrets = grpc.ssl_channel_credentials(pem(tls.ca), pem(tls.key), pem(tls.certificate))
    return grpc.aio.secure_channel(address, secrets, options=options)


def jitter(pause: float) -> float:
    """Shortens a pause by chance, so that not all come back at once."""
    return pause * random.uniform(0.5, 1.0)
