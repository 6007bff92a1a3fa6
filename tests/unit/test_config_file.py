"""A wrong key or value is one line with file, line, key, value and the nearest valid name."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import ConfigError
from etl.settings import Settings, load_settings


def settings_from(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    (folder / "tracehouse.toml").write_text(text, encoding="utf-8")
    return load_settings({"TRACEHOUSE_HOME": str(folder / "home"), **(environ or {})}, folder)


def test_everything_works_without_a_file(tmp_path: Path) -> None:
    settings = load_settings({"TRACEHOUSE_HOME": "h"}, tmp_path)
    assert settings.home == tmp_path / "h"
    assert settings.warehouse == tmp_path / "h" / "warehouse"
    assert settings.config_path is None
    assert settings.definitions.sync.lookback_hours == 24


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[sync]\nslice_hour = 2\n", ":2: [sync] slice_hour = 2 is not a known setting. Did you mean slice_hours?"),
        ("[sync]\n\npayloads = 1\n", ":3: [sync] payloads = 1 has the wrong type. It takes true or false"),
        (
            '[[budget]]\nname="a"\nmonthly_usd=1\n\n[[budget]]\nname="b"\nmonthly_usd="x"\n',
            ":7: [budget] monthly_usd = 'x' has the wrong type. It takes a number",
        ),
        ('[[budget]]\nname="a"\n', ":1: [budget] monthly_usd is missing. Add monthly_usd to this table"),
        ("[dislay]\n", ":1: dislay = {} is not a known setting. Did you mean display?"),
        ('[display]\ntimezone = "Mars"\n', "'Mars', which is no zone of the IANA database"),
        ("[sync\n", "is not valid TOML"),
        ('[outcome]\nescalation_pattern = "(help"\n', "'(help', which is no regular expression"),
        ('[flow]\nstep = "trace"\n', "[flow] step is 'trace', which names no step"),
        ('[flow]\nrename = { "a*" = 1 }\n', "It takes a table of texts"),
        ("[sync]\nlookback_hours = -1\n", ":2: [sync] lookback_hours = -1.0 is too small"),
        ("[sync]\nconcurrency = 0\n", ":2: [sync] concurrency = 0 is too small"),
        (
            '[[funnel]]\nname="a"\n[[funnel.steps]]\nname="p"\nmatch=["p"]\n[[funnel]]\nname="b"\n[[funnel.steps]]\nmacth=[]\n',
            ":9: [funnel.steps] macth = [] is not a known setting. Did you mean match?",
        ),
        (
            '[[funnel]]\nname="a"\nsteps = [{ name = "p", match = "plan*" }]\n',
            ":3: [funnel.steps] match = 'plan*' has the wrong type. It takes a list of texts",
        ),
        ('[[funnel]]\nname="a"\nstep = []\n', ":3: [funnel] step = [] is not a known setting. Did you mean steps?"),
        ('[[funnel]]\nname="a"\nsteps = []\n', "[[funnel]] 'a' has no steps. Add [[funnel.steps]]"),
        ('[[funnel]]\nname="a"\nsteps = [{ name = "p", match = [] }]\n', "step 'p' matches nothing"),
        (
            '[[funnel]]\nname="a"\nsteps = [{ name = "p", match = ["x"] }, { name = "p", match = ["y"] }]\n',
            "has two steps named 'p'",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_from(tmp_path, text)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_hand_written_definitions_win_over_saved_ones(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    saved = '[display]\ntimezone = "UTC"\n[[budget]]\nname="a"\nmonthly_usd=9\n[[budget]]\nname="b"\nmonthly_usd=2\n'
    (home / "saved.toml").write_text(saved, encoding="utf-8")
    definitions = settings_from(
        tmp_path, '[display]\ntimezone = "Europe/Lisbon"\n[[budget]]\nname="a"\nmonthly_usd=1\n'
    ).definitions
    assert definitions.display.timezone == "Europe/Lisbon"
    assert [(budget.name, budget.monthly_usd) for budget in definitions.budget] == [("a", 1.0), ("b", 2.0)]


def test_missing_keys_are_named_together(tmp_path: Path) -> None:
    settings = load_settings({"TRACEHOUSE_HOME": str(tmp_path)}, tmp_path)
    with pytest.raises(ConfigError, match="LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not set"):
        settings.credentials()


def test_secrets_stay_out_of_reprs(tmp_path: Path) -> None:
    environ = {
        "LANGFUSE_PUBLIC_KEY": "pk-lf-1",
        "LANGFUSE_SECRET_KEY": "sk-lf-hidden",
        "TRACEHOUSE_HOME": str(tmp_path),
    }
    settings = load_settings(environ, tmp_path)
    assert "sk-lf-hidden" not in repr(settings)
    assert "sk-lf-hidden" not in repr(settings.credentials())


def test_the_older_host_variable_is_accepted(tmp_path: Path) -> None:
    environ = {
        "LANGFUSE_PUBLIC_KEY": "pk",
        "LANGFUSE_SECRET_KEY": "sk",
        "LANGFUSE_HOST": "http://old:3000/",
        "TRACEHOUSE_HOME": str(tmp_path),
    }
    assert load_settings(environ, tmp_path).credentials()[0].base_url == "http://old:3000"


def test_several_projects_name_their_own_variables(tmp_path: Path) -> None:
    text = """
[[project]]
name = "shop"
public_key_env = "SHOP_PK"
secret_key_env = "SHOP_SK"
base_url = "http://shop:3000"

[[project]]
name = "help"
public_key_env = "HELP_PK"
secret_key_env = "HELP_SK"
"""
    environ = {"SHOP_PK": "a", "SHOP_SK": "b", "HELP_PK": "c", "HELP_SK": "d"}
    credentials = settings_from(tmp_path, text, environ).credentials()
    assert [(c.project_name, c.public_key) for c in credentials] == [("shop", "a"), ("help", "c")]
    assert credentials[0].base_url == "http://shop:3000"


@pytest.mark.parametrize("address", ["cloud.langfuse.com", "ftp://host", "http://", "http://[::1"])
def test_an_address_that_is_none_is_named(tmp_path: Path, address: str) -> None:
    environ = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk", "LANGFUSE_BASE_URL": address}
    settings = load_settings({**environ, "TRACEHOUSE_HOME": str(tmp_path)}, tmp_path)
    with pytest.raises(ConfigError, match="is not a web address"):
        settings.credentials()
