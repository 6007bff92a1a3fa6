"""Where the sync writes what it did: ``key=value`` lines in ``$TRACEHOUSE_HOME/logs/sync.log``, never a key.

Progress for people is the business of ``progress``. Messages carry ids, counts and places, no payload text.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import re
import time
from collections.abc import Iterator
from pathlib import Path

LOGGER = "etl"
KEPT_BYTES = 2_000_000
KEPT_FILES = 3
SECRETS = re.compile(r"\b([ps]k-lf-)[\w-]+|\b((?:Basic|Bearer)\s+)[\w+/=.-]+", re.IGNORECASE)


def redact(text: str) -> str:
    """The text with API keys and authorization headers cut down to their kind."""
    return SECRETS.sub(lambda match: f"{match[1] or match[2]}***", text)


class RedactingFormatter(logging.Formatter):
    """One line per record, UTC, without keys, whatever was passed to the logger."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s level=%(levelname)s logger=%(name)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return redact(super().format(record))


@contextlib.contextmanager
def log_to_file(home: Path) -> Iterator[None]:
    """Write what the project's loggers say during the block; a log that can't be written is no reason to stop."""
    logger = logging.getLogger(LOGGER)
    try:
        folder = home / "logs"
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        path = folder / "sync.log"
        path.touch(mode=0o600)
        handler: logging.Handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=KEPT_BYTES, backupCount=KEPT_FILES, encoding="utf-8"
        )
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(RedactingFormatter())
    previous = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(previous)
        handler.close()
