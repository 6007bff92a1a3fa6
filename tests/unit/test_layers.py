"""Imports point one way, and pages hold neither SQL nor arithmetic."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SETTINGS = tuple(f"etl.{path.stem}" for path in (ROOT / "etl").glob("settings*.py"))
READ_SIDE = ("etl.warehouse", "etl.errors", *SETTINGS)
COMPOSERS = {
    "app/cli.py",
    "app/demo_command.py",
    "app/sync_command.py",
}  # the only modules of the app that run the sync's commands
COMMANDS = {f"app/{path.name}" for path in (ROOT / "app").glob("*_command.py")}  # they need etl.cli's options

# module prefix of a file -> prefixes of our own modules that it may import, besides its own folder's
ALLOWED = {
    "pages/": ("app",),
    "app/stats/": ("app.stats", "etl.errors"),
    "app/format.py": (),
    "app/shared.py": (),
    "app/store.py": ("app.shared", *READ_SIDE),
    "app/metrics/": ("app.metrics", "app.stats", "app.store", "app.shared", "app.format", *READ_SIDE),
    "app/analysis/": ("app.analysis", "app.metrics", "app.stats", "app.store", "app.format", "app.sql", *READ_SIDE),
    "app/alerts/": (
        *("app.alerts", "app.metrics", "app.analysis", "app.stats", "app.store", "app.format", "app.sql"),
        *("app.saved", "app.query_output", "etl.settings_alerts", *READ_SIDE),
    ),
    "app/charts/": ("app.charts", "app.analysis", "app.metrics", "app.format"),
    "app/reports/": (
        "app.reports",
        "app.alerts",
        "app.analysis",
        "app.charts",
        "app.metrics",
        "app.format",
        "app.store",
        *READ_SIDE,
    ),
    "app/exports/": ("app", "etl.langfuse.client", "etl.langfuse.limiter", *READ_SIDE),
    "app/": ("app", *READ_SIDE),
    "etl/langfuse/": ("etl.langfuse", "etl.landing", "etl.plan", "etl.settings", "etl.errors"),
    "etl/warehouse/": ("etl.warehouse", "etl.migrations", "etl.settings", "etl.errors"),
    "etl/": ("etl",),
}
THIRD_PARTY_BANNED = {
    "pages/": {"duckdb", "polars", "altair", "httpx", "etl", "scipy", "numpy", "pandas"},
    "etl/": {"streamlit", "altair", "pandas", "app"},
    "app/": {"pandas"},
    "app/stats/": {"streamlit", "duckdb", "altair"},
    "app/analysis/": {"streamlit", "altair"},
    "app/metrics/": {"streamlit", "altair"},
    "app/alerts/": {"streamlit", "altair", "duckdb"},
    "app/charts/": {"streamlit", "duckdb"},
    "app/reports/": {"streamlit", "duckdb"},
}


def python_files() -> list[str]:
    return sorted(
        str(path.relative_to(ROOT)) for folder in ("app", "etl", "pages") for path in (ROOT / folder).rglob("*.py")
    )


def imports_of(source: str) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import of {node.module}"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def is_within(module: str, prefixes: tuple[str, ...]) -> bool:
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


def violations(file: str, source: str) -> list[str]:
    modules = imports_of(source)
    ours = [module for module in modules if module.split(".")[0] in ("app", "etl", "pages")]
    rule = max((prefix for prefix in ALLOWED if file.startswith(prefix)), key=len)
    allowed = ALLOWED[rule]
    if file in COMPOSERS:
        allowed = (*allowed, "etl")
    if file in COMMANDS:
        allowed = (*allowed, "etl.cli")
    wrong = [module for module in ours if not is_within(module, allowed)]
    for prefix, banned in THIRD_PARTY_BANNED.items():
        if file.startswith(prefix):
            wrong += [module for module in modules if module.split(".")[0] in banned and module not in wrong]
    return [f"{file} imports {module}" for module in wrong]


@pytest.mark.parametrize("file", python_files())
def test_imports_point_one_way(file: str) -> None:
    assert violations(file, (ROOT / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("pages/costs.py", "import polars"),
        ("pages/costs.py", "from etl.settings import Settings"),
        ("etl/load.py", "from app.store import Store"),
        ("app/analysis/costs.py", "import streamlit as st"),
        ("app/store.py", "from etl.pipeline import sync"),
        ("app/analysis/sessions.py", "from etl.langfuse.client import Client"),
        ("app/alerts/check.py", "import streamlit as st"),
        ("app/alerts/check.py", "from app.ui import Card"),
        ("app/alerts/ledger.py", "from etl.state import State"),
        ("app/exports/push.py", "from etl.pipeline import sync"),
        ("app/reports/html.py", "from app.ui.text import plain"),
        ("etl/langfuse/client.py", "from etl.pipeline import sync"),
    ],
)
def test_a_forbidden_import_is_seen(file: str, source: str) -> None:
    assert violations(file, source) != []


def test_no_module_hides_another() -> None:
    """Streamlit puts ``app/`` first on the path, so a file there can hide a library or the package itself."""
    names = {path.stem for path in (ROOT / "app").glob("*.py")} | {
        path.name for path in (ROOT / "app").iterdir() if path.is_dir()
    }
    taken = {"app", *sys.stdlib_module_names, *packages_distributions()} - {"app.egg-info"}
    installed_as_ours = {"etl", "pages"}
    assert {name for name in names - {"__init__", "__main__"} if name in taken - installed_as_ours} == set()


# fmt: off
COMPUTING = frozenset({
    "filter", "group_by", "agg", "select", "with_columns", "sort", "unique", "head", "tail", "sum", "mean",
    "median", "quantile", "min", "max", "count", "n_unique", "map_elements", "map_batches", "apply", "pivot", "over",
    "sql", "execute", "eval",
})
# fmt: on
SQL = re.compile(r"\b(select|with)\b.*\bfrom\b|\b(from|join)\s+(marts|raw|meta)\.", re.IGNORECASE | re.DOTALL)
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)


def computed(source: str) -> list[str]:
    """What a page does that belongs into a layer below it: numbers, frames, statements, definitions, raw HTML."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.BinOp(op=op) | ast.AugAssign(op=op) if isinstance(op, ARITHMETIC):
                found.append(f"arithmetic at line {node.lineno}")
            case ast.Name(id="sum" | "round" | "min" | "max" | "abs" | "divmod" | "sorted" | "len"):
                found.append(f"a number made at line {node.lineno}")
            case ast.Call(func=ast.Attribute(attr=attr)) if attr in COMPUTING:
                found.append(f"a frame computed at line {node.lineno}: .{attr}()")
            case ast.FunctionDef() | ast.ClassDef() | ast.Lambda():
                found.append(f"a definition at line {node.lineno}")
            case ast.Constant(value=str() as text) if SQL.search(text):
                found.append(f"SQL at line {node.lineno}")
            case ast.JoinedStr(values=parts):
                # The parts of a statement that is put together say nothing each by itself.
                text = " ".join(part.value for part in parts if isinstance(part, ast.Constant))
                if SQL.search(text):
                    found.append(f"SQL put together at line {node.lineno}")
            case ast.keyword(arg="unsafe_allow_html"):
                found.append("untrusted text must never become HTML")
    return found


@pytest.mark.parametrize("file", [file for file in python_files() if file.startswith("pages/")])
def test_pages_compute_nothing(file: str) -> None:
    assert computed((ROOT / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "x = cost / traces",
        "x += 1",
        "x = sum(costs)",
        "x = found.frame.filter(y)",
        "x = found.frame['cost_usd'].sum()",
        "x = store.sql(text)",
        "x = 'select cost_usd from marts.traces'",
        "x = f'{verb} cost_usd from marts.{table}'",
        "x = f'select {column} from {table}'",
        "def cost(): ...",
        "x = lambda y: y",
        "st.markdown(x, unsafe_allow_html=True)",
    ],
)
def test_what_a_page_must_not_compute_is_seen(source: str) -> None:
    assert computed(source) != []
