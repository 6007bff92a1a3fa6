"""Parts of the Reports page: the report itself, its files, its line of cron, and sending it."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from app.alerts.channels import find_channel
from app.cache import ask, cached
from app.reports.alerts import read_alerts
from app.reports.cron import cron_line
from app.reports.data import make_report
from app.reports.forms import written
from app.reports.sending import send_report
from app.ui.layout import note, section
from app.ui.states import empty_state, guarded
from app.ui.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from app.metrics.filters import Filters
    from app.metrics.windows import Window
    from app.reports.data import Alerts, Report
    from app.reports.forms import Form
    from app.store import Store
    from app.ui.page import Page
    from etl.settings import BudgetSettings

_FILES: tuple[tuple[Form, str, str], ...] = (
    ("html", "HTML", "text/html"),
    ("md", "Markdown", "text/markdown"),
    ("json", "JSON", "application/json"),
)
_HEIGHT = 900


def ask_report(page: Page) -> Callable[[], Report]:
    """Begin to make the report of the page's filters."""
    return ask(page, _report, *_scope(page))


def downloads(made: Report) -> None:
    """The report as a file, in each form; made when it is asked for."""
    with st.container(horizontal=True, gap="small"):
        for form, label, mime in _FILES:
            st.download_button(
                f"Download {label}",
                partial(_file, made, form),
                file_name=f"report.{form}",
                mime=mime,
                icon=":material/download:",
                key=f"report_{form}",
                on_click="ignore",
            )


def preview(page: Page) -> None:
    """The HTML as it will be read, in a frame of its own origin, drawn when it is opened."""
    shown = st.expander("Preview", key="preview", on_change="rerun", icon=":material/preview:")
    if shown.open:
        with shown:
            text = cached(page, _html, *_scope(page))
            # As an address the frame has an origin of its own, from which nothing of the app can be reached.
            address = f"data:text/html;charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"
            st.iframe(address, height=_HEIGHT, alt="The report as HTML")


def cron_part(page: Page) -> None:
    """The line of a crontab that makes this report by itself."""
    section("On a schedule", "A line for crontab: it syncs, then writes this report anew.")
    st.code(cron_line(page.filters), language=None, wrap_lines=True)
    if page.filters.window.until:
        note("The period has fixed dates, so the report stays the same. Choose one such as the last 7 days.")


def send_part(page: Page, made: Report) -> None:
    """A button that sends the report through a configured channel."""
    section("Send it", "To a channel of the configuration, now; cron sends with --send.")
    names = [channel.name for channel in page.definitions.channel if channel.enabled]
    if not names:
        empty_state(
            "No channel yet",
            "Add a [[channel]] with name and url_env to tracehouse.toml: an e-mail address, a chat or a webhook.",
            command="tracehouse init",
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Channel", names, key="channel", width=280)
        is_asked = st.button("Send the report", key="send", icon=":material/send:")
    if is_asked and name:
        with guarded(), st.spinner("Sending"):
            channel = find_channel(page.settings, name)
            send_report(channel, made)
            st.success(plain(f"Sent to {channel.name} ({channel.kind})."), icon=":material/check_circle:")


_Scope = tuple["ZoneInfo", "Filters", "Window | None", "tuple[BudgetSettings, ...]", str, "Alerts"]


def _scope(page: Page) -> _Scope:
    alerts = read_alerts(page.settings, page.store)
    base_url = page.definitions.display.base_url
    return page.timezone, page.filters, page.comparison, page.definitions.budget, base_url, alerts


def _report(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    comparison: Window | None,
    budgets: tuple[BudgetSettings, ...],
    base_url: str,
    alerts: Alerts,
) -> Report:
    return make_report(store, timezone, filters, comparison, budgets=budgets, base_url=base_url, alerts=alerts)


def _html(store: Store, *scope: *_Scope) -> str:
    return written(_report(store, *scope), "html")


def _file(made: Report, form: Form) -> bytes:
    return written(made, form).encode()
