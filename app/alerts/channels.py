"""Where messages go: a ``[[channel]]`` of the configuration and its address from the environment, as one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from app.alerts.message import Message
from app.metrics.dimensions import nearest
from etl.errors import ConfigError
from etl.settings import Settings
from etl.settings_alerts import ChannelSettings


class Channel(Protocol):
    """One place that takes messages."""

    @property
    def name(self) -> str:
        """As configured."""

    @property
    def kind(self) -> str:
        """What it is, in words: ``webhook``, ``e-mail``, ``Slack``."""

    @property
    def retries(self) -> int:
        """Further attempts in one run, for ``app.alerts.deliver``."""

    def send(self, message: Message) -> None:
        """One attempt, in at most the configured time.

        Raises:
            ChannelFailed: it did not arrive, or that is not known; in one line without the address.
        """


def find_channel(settings: Settings, name: str) -> Channel:
    """The channel of this name.

    Raises:
        ConfigError: there is none (with the nearest names), it is switched off, or its variables can't be used.
    """
    known = {channel.name: channel for channel in settings.definitions.channel}
    if not known:
        raise ConfigError(
            f"There is no channel {name!r}: none is configured", hint="Add a [[channel]] with name and url_env"
        )
    if name not in known:
        raise ConfigError(f"There is no channel {name!r}", hint=nearest(name, known))
    if not known[name].enabled:
        raise ConfigError(f"The channel {name!r} is switched off", hint="Remove `enabled = false` from its [[channel]]")
    return open_channel(known[name], settings.environ)


def open_channel(channel: ChannelSettings, environ: Mapping[str, str]) -> Channel:
    """The channel with its address, read from the environment. Nothing is connected yet.

    Raises:
        ConfigError: a variable is not set or holds no address of a known form; the value is never shown.
    """
    # Imported here, because each of them brings a library that most commands don't need.
    from app.alerts.apprise_channel import apprise_channel  # noqa: PLC0415 - see above
    from app.alerts.webhook import Webhook  # noqa: PLC0415 - see above

    address = _variable(channel, channel.url_env, "url_env", environ)
    secret = _variable(channel, channel.secret_env, "secret_env", environ) if channel.secret_env else ""
    if address.lower().startswith(("https://", "http://")):
        return Webhook.of(channel, address, secret)
    if secret:
        raise ConfigError(
            f"[[channel]] {channel.name!r} has a secret_env, but only a webhook is signed",
            hint="Leave secret_env out, or let its address begin with https://",
        )
    return apprise_channel(channel, address)


def _variable(channel: ChannelSettings, variable: str, key: str, environ: Mapping[str, str]) -> str:
    value = environ.get(variable, "").strip()
    if not value:
        raise ConfigError(
            f"{variable or 'A variable'}, the {key} of [[channel]] {channel.name!r}, is not set",
            hint="Export it where the sync and the app run",
        )
    return value
