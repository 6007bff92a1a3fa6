"""Frame and router: reads the environment once a run, names the pages, hands over to one of them."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st
from altair.utils import schemapi

from app.ui.states import error_box, offer_reset
from etl.errors import ConfigError, TracehouseError
from etl.settings import load_settings

PAGES = Path(__file__).resolve().parent.parent / "pages"

st.set_page_config(page_title="tracehouse", page_icon=str(Path(__file__).with_name("icon.svg")), layout="wide")

schemapi.disable_debug_mode()  # tests check charts against Vega-Lite's schema; on a page it is a third of the time

try:
    st.session_state["settings"] = load_settings(dict(os.environ), Path.cwd())
except ConfigError as error:
    error_box(error)
    st.stop()

router = st.navigation(
    [
        st.Page(
            PAGES / f"{file}.py", title=title, icon=f":material/{icon}:", url_path=file, default=default, help=question
        )
        for file, title, icon, default, question in (
            ("overview", "Overview", "monitoring", True, "What happened, and what changed?"),
            ("alerts", "Alerts", "notifications", False, "What fires now, since when, and who was told?"),
            ("costs", "Costs", "payments", False, "Where does the money go, and why did that change?"),
            ("sessions", "Sessions", "forum", False, "How do conversations go, and which ones need a look?"),
            ("conversation", "Conversation", "chat", False, "What was said in one session, and what did it cost?"),
            ("trace", "Trace", "account_tree", False, "Where did one request spend its time, and where did it break?"),
            ("flows", "Flows", "route", False, "Which ways do conversations take, and where do they break off?"),
            ("errors", "Errors", "error", False, "What breaks, for whom, and what to do about it?"),
            ("performance", "Performance", "speed", False, "Which agent is slow, which tool fails, and since when?"),
            ("quality", "Quality", "grade", False, "How good are the answers, and is that changing?"),
            ("experiments", "Experiments", "science", False, "Which variant is better, and can the result be trusted?"),
            ("dashboards", "Dashboards", "dashboard", False, "The numbers that you chose, side by side."),
            ("sql", "SQL", "database", False, "What the other pages don't answer: read the warehouse in SQL."),
            ("reports", "Reports", "summarize", False, "What happened, to send, print or read on?"),
            ("data_health", "Data health", "health_and_safety", False, "Is the data complete and fresh?"),
        )
    ]
)
st.session_state["page_file"] = router.url_path or "overview"
try:
    router.run()
except TracehouseError as error:
    error_box(error)
    offer_reset()
