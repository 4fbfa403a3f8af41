from pathlib import Path


def build(out: Path, scratch: Path) -> None:
    raise NotImplementedError
