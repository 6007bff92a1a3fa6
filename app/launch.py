"""Starts Streamlit from the right folder and says where the app is. Knows nothing of what the app shows."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from etl.errors import ConfigError, TracehouseError
from etl.settings import Settings

ENTRY = Path(__file__).resolve().parent / "main.py"
DEFAULT_PORT = 8501
START_TIMEOUT_S = 60.0


def choose_port(address: str, wanted: int | None) -> int:
    """The wanted port, or the default one, or the next that is free.

    Raises:
        ConfigError: the port that was asked for is taken.
    """
    if wanted is not None:
        if not _is_free(address, wanted):
            raise ConfigError(f"Port {wanted} on {address} is taken", hint="Choose another with --port")
        return wanted
    for port in range(DEFAULT_PORT, DEFAULT_PORT + 100):
        if _is_free(address, port):
            return port
    raise ConfigError(f"No free port from {DEFAULT_PORT} on", hint="Choose one with --port")


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def environment_for(settings: Settings) -> dict[str, str]:
    """The environment of the app's process: the user's places made absolute, because the app changes folder.

    The API keys are taken out: pages only read the warehouse.
    """
    environment = {
        name: value
        for name, value in settings.environ.items()
        if not name.startswith("LANGFUSE_") and value is not None
    }
    environment["TRACEHOUSE_HOME"] = str(settings.home)
    environment["TRACEHOUSE_WAREHOUSE"] = str(settings.warehouse)
    if settings.config_path is not None:
        environment["TRACEHOUSE_CONFIG"] = str(settings.config_path)
    return environment


def _folder() -> Path:
    """Where ``.streamlit/config.toml`` lies: beside ``app/`` in a checkout, beside the entry file when installed."""
    checkout = ENTRY.parent.parent
    return checkout if (checkout / ".streamlit" / "config.toml").is_file() else ENTRY.parent


@contextlib.contextmanager
def running_app(
    settings: Settings, *, address: str, port: int, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The app's server as a child process, healthy when the block begins and gone when it ends.

    Raises:
        TracehouseError: the server ended or gave no sign of health within a minute.
    """
    command = [sys.executable, "-m", "streamlit", "run", str(ENTRY)]
    command += ["--server.headless", "true", "--server.address", address, "--server.port", str(port)]
    with _output(log) as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and entry file
            command, cwd=_folder(), env=_python_path(environment_for(settings)), stdout=output, stderr=output
        )
        try:
            _wait_until_healthy(process, f"http://{_host(address)}:{port}", log)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _python_path(environment: Mapping[str, str]) -> dict[str, str]:
    """Streamlit puts the entry's folder on the path; a checkout that isn't installed needs the folder above it."""
    parents = [str(ENTRY.parent.parent), *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(parents)}


@contextlib.contextmanager
def _output(log: Path | None) -> Iterator[int]:
    if log is None:
        yield subprocess.DEVNULL
        return
    log.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with log.open("ab") as file:
        yield file.fileno()


def _host(address: str) -> str:
    if address in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{address}]" if ":" in address else address


def url_of(address: str, port: int) -> str:
    """What a person opens in a browser on this machine."""
    return f"http://{'localhost' if address == '127.0.0.1' else _host(address)}:{port}"


def _wait_until_healthy(process: subprocess.Popen[bytes], base: str, log: Path | None) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    hint = f"Its output is in {log}" if log else "Run `python -m streamlit run app/main.py` to see why"
    with httpx.Client(timeout=2.0, trust_env=False) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise TracehouseError(f"The app ended at once with code {process.returncode}", hint=hint)
            try:
                if client.get(f"{base}/_stcore/health").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass  # not listening yet
            time.sleep(0.1)
    raise TracehouseError(f"The app gave no sign of health within {START_TIMEOUT_S:.0f} s", hint=hint)


def wait_for_end(process: subprocess.Popen[bytes]) -> int:
    """Wait until the app ends or a person presses Ctrl-C (which is a normal way to leave)."""

    def leave(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, previous)
