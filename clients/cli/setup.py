"""Build step that pyproject.toml cannot express: compile the translation catalogues."""

import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithCatalogues(build_py):
    """Compiles the catalogues with msgfmt, of GNU gettext."""

    def run(self) -> None:
        for source in Path("andromede_cli/locale").glob("*/LC_MESSAGES/*.po"):
            subprocess.run(["msgfmt", "--check-format", "-o", str(source.with_suffix(".mo")), str(source)], check=True)
        super().run()


setup(cmdclass={"build_py": BuildWithCatalogues})
