from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etl.settings import Settings, load_settings
from tests.alerts.receivers import HttpReceiver, MailReceiver

SECRET = "T0P/S3CR3T-path"


@pytest.fixture
def http() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
def mail() -> Iterator[MailReceiver]:
    receiver = MailReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Settings]:
    """Settings from the text of a configuration and variables."""

    def made(text: str = "", **environ: Any) -> Settings:
        path = tmp_path / "tracehouse.toml"
        path.write_text(text, encoding="utf-8")
        return load_settings({"TRACEHOUSE_CONFIG": str(path), "TRACEHOUSE_HOME": str(tmp_path), **environ}, tmp_path)

    return made
