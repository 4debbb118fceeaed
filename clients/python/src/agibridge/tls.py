"""Certificates, for servers and for workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Pem: TypeAlias = str | Path | bytes
"""A PEM file's path, or its content as bytes."""


def pem(source: Pem | None) -> bytes | None:
    """Reads a PEM file, unless its content is given."""
    if source is None or isinstance(source, bytes):
        return source
    return Path(source).read_bytes()


@dataclass(frozen=True, slots=True)
class ServerTls:
    """TLS of a server."""

    certificate: Pem
    """The chain that is shown to bridges."""
    key: Pem
    client_ca: Pem | None = None
    """When set, bridges must show a certificate that one of these has signed."""


@dataclass(frozen=True, slots=True)
class ClientTls:
    """TLS of a worker."""

    ca: Pem | None = None
    """Who must have signed the bridge's certificate; None: whom gRPC trusts by itself."""
    certificate: Pem | None = None
    """The chain that is shown to bridges, with ``key``."""
    key: Pem | None = None
    server_name: str | None = None
    """The name that the bridge's certificate must have; None: the name that is dialled."""
