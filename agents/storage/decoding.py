"""Convert messages to values that may be used in names and commands of Ceph."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from agents.node.adapters.interfaces import ImageFormat
from agents.node.errors import BadRequest
from agents.node.rpc.decoding import MAX_PART_BYTES, MAX_SIZE_BYTES, digest, identifier
from agents.node.specs import ImageSpec
from agents.protocol import storage_pb2 as pb

FORMATS = {pb.IMAGE_FORMAT_QCOW2: ImageFormat.QCOW2, pb.IMAGE_FORMAT_RAW: ImageFormat.RAW}
MAX_ADDRESSES = 32
MAX_FENCE_S = 30 * 24 * 3600
MAX_NAME = 200


def image(message: pb.ImageHeader) -> ImageSpec:
    if message.format not in FORMATS:
        raise BadRequest("header.format", "has an unknown value")
    sha256 = digest("header.sha256", message.sha256)
    return ImageSpec(sha256, _size("header.size_bytes", message.size_bytes, 1), FORMATS[message.format])


def image_parts(parts: Iterator[pb.ImagePart]) -> Iterator[bytes]:
    """Return the bytes that follow the header."""
    for part in parts:
        if part.WhichOneof("part") != "data":
            raise BadRequest("data", "each message after the first one carries bytes")
        if len(part.data) > MAX_PART_BYTES:
            raise BadRequest("data", f"at most {MAX_PART_BYTES} bytes in one message")
        yield part.data


def volume_id(text: str) -> str:
    return str(identifier("volume_id", text))


def node_id(text: str) -> str:
    return str(identifier("node_id", text))


def volume_size(size_bytes: int) -> int:
    if size_bytes % 512:
        raise BadRequest("size_bytes", "must be a multiple of 512")
    return _size("size_bytes", size_bytes, 512)


def pool(name: str, served: Sequence[str]) -> str:
    if name not in served:
        raise BadRequest("pool", f"is none that this storage agent was started for ({', '.join(served)})")
    return name


def name_after(text: str) -> str:
    if len(text) > MAX_NAME:
        raise BadRequest("after", f"has more than {MAX_NAME} characters")
    return text


def addresses(texts: Sequence[str]) -> list[str]:
    if not 0 < len(texts) <= MAX_ADDRESSES:
        raise BadRequest("addresses", f"must be 1 to {MAX_ADDRESSES}")
    try:
        parsed = [ip_address(text) for text in texts]
    except ValueError:
        raise BadRequest("addresses", "must be IPv4 or IPv6 addresses, without a prefix or a port") from None
    if any(each.is_unspecified for each in parsed):
        raise BadRequest("addresses", "must be those of one machine")
    return [str(each) for each in parsed]


def fence_seconds(value: int) -> int:
    if not 0 < value <= MAX_FENCE_S:
        raise BadRequest("seconds", f"must be between 1 and {MAX_FENCE_S}")
    return value


def _size(field: str, value: int, low: int) -> int:
    if not low <= value <= MAX_SIZE_BYTES:
        raise BadRequest(field, f"must be between {low} and {MAX_SIZE_BYTES}")
    return value
