"""Parse the address of an HTTP endpoint, as written in settings and options."""


def parse_address(listen: str) -> tuple[str, int]:
    """Parse ADDRESS:PORT; raises ValueError for any other text."""
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and colon and port.isdecimal() and int(port) < 2**16):
        raise ValueError(f"an address is written ADDRESS:PORT, as 127.0.0.1:9100 or [::1]:9100, not {listen!r}")
    return host, int(port)
