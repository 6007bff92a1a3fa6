"""What people save from pages goes to ``$TRACEHOUSE_HOME/saved.toml``, never to the file that people write by hand."""

from __future__ import annotations

import json
import os
import re
import tempfile
import threading
import tomllib
from collections.abc import Sequence
from pathlib import Path

from app.analysis.experiments import Experiment, from_settings
from etl.errors import ConfigError
from etl.settings import Definitions, ExperimentSettings, OutcomeSettings, Settings

FILE = "saved.toml"
ONE_AT_A_TIME = threading.Lock()  # hold it while tables of the file are read and written again


def save_experiment(settings: Settings, experiment: Experiment, name: str) -> Path:
    """Add an experiment to the saved ones; the place that was written.

    Raises:
        ConfigError: the name is empty or taken, the experiment means nothing, or the file can't be written.
    """
    name = " ".join(name.split())
    if not name:
        raise ConfigError("An experiment needs a name to be saved", hint="Give it one")
    _check_free(settings.definitions, name)
    # What can't be read back as the same is not written.
    if from_settings(_settings_of(experiment, name)).arms != experiment.arms:
        raise ConfigError("An arm with a comma in its name can't be saved", hint="Tell the arms apart by another value")
    path = settings.home / FILE
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        replace_whole(path, f"{before.rstrip()}\n\n{table(experiment, name)}".lstrip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be written: {error}", hint="Check the folder and its permissions") from error
    return path


def save_outcome(settings: Settings, outcome: OutcomeSettings) -> Path:
    """Keep these rules for how sessions end, in place of those saved before; the place that was written.

    The next sync recomputes all of history by them.

    Raises:
        ConfigError: the file that people write by hand has rules of its own, which win; or the file can't be written.
    """
    written = outcome_table(outcome)
    if settings.config_path is not None and "outcome" in tomllib.loads(settings.config_path.read_text("utf-8")):
        raise ConfigError(
            f"{settings.config_path} has an [outcome] table, which wins over what pages save",
            hint="Change it there",
        )
    path = settings.home / FILE
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        rest = re.sub(r"(?ms)^\[outcome\]\s*$.*?(?=^\[|\Z)", "", before).strip()
        replace_whole(path, f"{rest}\n\n{written}".lstrip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be written: {error}", hint="Check the folder and its permissions") from error
    return path


def outcome_table(outcome: OutcomeSettings) -> str:
    """The rules as an ``[outcome]`` table of the configuration: those that differ from the defaults."""
    plain = OutcomeSettings()
    lines = [f"{key} = {toml_value(value)}" for key, value in vars(outcome).items() if value != getattr(plain, key)]
    return "\n".join(["[outcome]", *lines]) + "\n"


def table(experiment: Experiment, name: str) -> str:
    """The experiment as a ``[[experiment]]`` table of the configuration."""
    lines = ["[[experiment]]"]
    declared = _settings_of(experiment, name)
    plain = ExperimentSettings(name="", variants="")
    for key, value in vars(declared).items():
        if value != getattr(plain, key) or key in ("name", "variants"):
            lines.append(f"{key} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def _settings_of(experiment: Experiment, name: str) -> ExperimentSettings:
    return ExperimentSettings(
        name=name,
        variants=f"{experiment.dimension}={','.join(experiment.arms)}",
        unit=experiment.unit or "",
        primary=experiment.primary,
        metrics=experiment.metrics,
        guardrails=experiment.guardrails,
        where=experiment.where,
        since=experiment.since,
        until=experiment.until,
        segments=experiment.segments,
        split=":".join(f"{share:g}" for share in experiment.split),
        wanted_lift=experiment.wanted,
        winsorise=experiment.winsorise,
    )


def toml_value(value: object) -> str:
    """A text, number, truth value or list of these as TOML, on one line."""
    if isinstance(value, tuple):
        return f"[{', '.join(toml_value(each) for each in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # A TOML basic string is a JSON string, but for the delete character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _check_free(definitions: Definitions, name: str) -> None:
    if any(each.name == name for each in definitions.experiment):
        raise ConfigError(f"There is an experiment {name!r} already", hint="Choose another name")


def saved_text(settings: Settings) -> str:
    """The file as it is; empty where nothing was saved."""
    path = settings.home / FILE
    return path.read_text(encoding="utf-8") if path.exists() else ""


def replace_tables(settings: Settings, name: str, tables: Sequence[str]) -> None:
    """Write these tables in place of all ``[[name]]`` and the tables inside them; the rest of the file stays as it is.

    Raises:
        ConfigError: the file can't be written.
    """
    path = settings.home / FILE
    header = re.compile(rf"\s*\[\[?\s*{re.escape(name)}\s*[.\]]")
    kept, inside = [], False
    # Pages write each value on a line of its own.
    for line in saved_text(settings).splitlines():
        if line.lstrip().startswith("["):
            inside = header.match(line) is not None
        if not inside:
            kept.append(line)
    try:
        replace_whole(path, "\n\n".join(part for part in ("\n".join(kept).strip(), *tables) if part) + "\n")
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error}", hint="Check the folder and its permissions") from error


def replace_whole(path: Path, text: str) -> None:
    """Write the whole file or nothing; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
