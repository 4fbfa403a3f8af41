"""Build the hook as one file, from the shell head and the Python body beside this module, and install it."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent
DEFAULT_PATH = Path("/etc/libvirt/hooks/qemu")
MODE = 0o755
SIGN = b"python -m agents.node.hook install"  # in the head of every version of the file
DEFAULT_SOCKET_LINE = 'SOCKET = "/var/lib/andromede/hook.sock"'
# What a unix socket's path may hold, less what would need quoting in Python or end the shell's document.
SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")
LONGEST_SOCKET_PATH = 107


def render(socket: Path) -> bytes:
    """Return the hook that asks the agent at `socket`.

    Raises:
        ValueError: a hook cannot use that path.
    """
    text = str(socket)
    if not socket.is_absolute() or len(text) > LONGEST_SOCKET_PATH or not SAFE.issuperset(text):
        raise ValueError(f"{text!r} is no path for the hook's socket.")
    body = (FOLDER / "client.py").read_text().replace(DEFAULT_SOCKET_LINE, f'SOCKET = "{text}"', 1)
    return (FOLDER / "qemu.sh").read_text().replace("@ASK@\n", body, 1).encode()


def install(path: Path, socket: Path) -> bool:
    """Install the hook at `path` in one step; False when it was there already, and then nothing is changed.

    libvirtd honours a hook that was there when it started, so restart it after a True.

    Raises:
        FileExistsError: another hook is at `path`.
        ValueError: a hook cannot use that socket.
    """
    content = render(socket)
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if path.exists():
        present = path.read_bytes()
        if SIGN not in present:
            raise FileExistsError(f"{path} is another hook: move it into {path}.d, whose scripts libvirt runs as well.")
        if present == content and path.stat().st_mode & 0o7777 == MODE:
            return False
    _replace(path, content)
    return True


def _replace(path: Path, content: bytes) -> None:
    """Replace the file atomically: a start in the same moment runs the old file or the new one."""
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), MODE)
        os.fsync(file.fileno())
    os.replace(draft, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
