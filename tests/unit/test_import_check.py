"""The check that tests import what exists."""

from pathlib import Path

import pytest

from scripts.import_check import Modules, complaints_of

SHOP = """
import os.path
from json import dumps as as_json
from shop.prices import *
try:
    import fast
except ImportError:
    fast = None
LIMIT: int = 3
if LIMIT:
    first, (second, *rest) = [inner for inner in (1,)], (2, 3)
with open("x") as handle:
    def sell(): local = 1
class Order:
    member = 1
"""
DEFINED = ["os", "as_json", "fast", "LIMIT", "first", "second", "rest", "handle", "sell", "Order", "vat", "prices", "*"]


@pytest.fixture
def modules(tmp_path: Path) -> Modules:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text(SHOP)
    (tmp_path / "shop" / "prices.py").write_text("vat = 1")
    (tmp_path / "shop" / "lazy.py").write_text("def __getattr__(name): ...")
    (tmp_path / "shop" / "wide.py").write_text("from elsewhere import *")
    (tmp_path / "shop" / "call_pb2.py").write_text("")
    (tmp_path / "shop" / "call_pb2.pyi").write_text("class Call: ...")
    (tmp_path / "clients" / "sdk").mkdir(parents=True)
    (tmp_path / "clients" / "sdk" / "shop_sdk.py").write_text("class Client: ...")
    return Modules(tmp_path)


@pytest.mark.parametrize("name", DEFINED)
def test_name_that_the_module_binds_passes(modules: Modules, name: str) -> None:
    assert not list(complaints_of("tests/a.py", f"from shop import {name}", modules))


@pytest.mark.parametrize(
    "line",
    [
        "import shop, shop.prices as p, os",
        "from shop.lazy import anything",
        "from shop.wide import anything",
        "from shop.call_pb2 import Call",
        "from shop_sdk import Client",
        "from elsewhere import anything",
    ],
)
def test_other_imports_pass(modules: Modules, line: str) -> None:
    assert not list(complaints_of("tests/a.py", line, modules))


@pytest.mark.parametrize("name", ["member", "local", "inner", "json", "dumps", "path", "Missing"])
def test_name_that_the_module_does_not_bind_fails(modules: Modules, name: str) -> None:
    text = f"def test_it():\n    if 1:\n        from shop import sell, {name}"
    assert list(complaints_of("tests/a.py", text, modules)) == [f"tests/a.py:3: shop does not define {name}"]


@pytest.mark.parametrize("line", ["import shop.sales", "from shop.sales import vat"])
def test_module_that_does_not_exist_fails(modules: Modules, line: str) -> None:
    assert list(complaints_of("tests/a.py", line, modules)) == ["tests/a.py:1: there is no module shop.sales"]


def test_names_of_generated_code_are_read_from_its_stub(modules: Modules) -> None:
    (complaint,) = complaints_of("tests/a.py", "from shop.call_pb2 import Call, Answer", modules)
    assert complaint.endswith("shop.call_pb2 does not define Answer")
