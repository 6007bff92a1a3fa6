"""What several areas of the suite share."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[1]

RunCommand = Callable[..., subprocess.CompletedProcess[str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the long versions of bounded tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="the long version; run with --long")
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def validate() -> Callable[[str, Any], None]:
    """Holds an object against a schema of ``tests/contract`` by name."""

    def check(name: str, value: Any) -> None:
        schema = json.loads((ROOT / "tests" / "contract" / f"{name}.schema.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator(schema).validate(value)

    return check


@pytest.fixture(scope="session")
def tracehouse() -> RunCommand:
    """Runs the command line as a user does, in a clean environment: ``tracehouse("sync", home=..., NAME="value")``."""

    def run(*arguments: str, home: Path, timeout: float = 120, **environ: str) -> subprocess.CompletedProcess[str]:
        environment = {"TRACEHOUSE_HOME": str(home), "PATH": "/usr/bin:/bin", "HOME": str(home), **environ}
        return subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            cwd=home,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory, tracehouse: RunCommand) -> Path:
    """The home after ``tracehouse demo --no-app --json``; ``report.json`` there holds what it printed."""
    home = tmp_path_factory.mktemp("demo")
    arguments = ["--traces", "800", "--days", "21", "--seed", "11", "--no-app", "--json"]
    done = tracehouse("demo", *arguments, home=home)
    assert done.returncode == 0, done.stderr
    (home / "report.json").write_text(done.stdout, encoding="utf-8")
    return home
