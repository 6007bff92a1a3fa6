"""Other ways to get the same rows, each in an environment of its own: the official client, and dlt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGES = {"langfuse": ("langfuse", "pandas"), "dlt": ("dlt[duckdb]",)}

SCRIPTS = {
    "langfuse": """
import sys
from langfuse.api.client import LangfuseAPI
import pandas
api = LangfuseAPI(base_url=sys.argv[1], username="pk-lf-bench", password="sk-lf-bench", x_langfuse_public_key="pk")
rows, cursor = [], None
while True:
    page = api.observations.get_many(limit=1000, cursor=cursor, fields="core,basic,time,io,metadata,model,usage")
    rows += [row.model_dump() if hasattr(row, "model_dump") else row.dict() for row in page.data]
    cursor = page.meta.cursor
    if not cursor:
        break
print(len(pandas.DataFrame(rows)))
""",
    "dlt": """
import os, sys
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
import dlt
from dlt.sources.rest_api import rest_api_source
source = rest_api_source({
    "client": {"base_url": sys.argv[1] + "/api/public/",
               "paginator": {"type": "cursor", "cursor_path": "meta.cursor", "cursor_param": "cursor"}},
    "resources": [{"name": "observations", "primary_key": ["traceId", "id"], "write_disposition": "merge",
                   "endpoint": {"path": "v2/observations", "data_selector": "data",
                                "params": {"limit": 1000, "fields": "core,basic,time,io,metadata,model,usage"}}}],
})
where = sys.argv[2]
pipeline = dlt.pipeline("bench", destination=dlt.destinations.duckdb(where + ".duckdb"), dataset_name="raw",
                        pipelines_dir=where)
print(pipeline.run(source))
""",
}


def install(name: str, folder: Path) -> Path | None:
    """A Python that has the peer; None where it can't be had."""
    home = folder / f"venv-{name}"
    python = home / "bin" / "python"
    made = subprocess.run([sys.executable, "-m", "venv", str(home)], check=False, capture_output=True)
    if made.returncode:
        return None
    command = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES[name]]
    installed = subprocess.run(command, check=False, capture_output=True)
    return None if installed.returncode else python
