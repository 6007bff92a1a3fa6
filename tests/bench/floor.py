"""The least that a sync could cost: download the pages, then one statement that reads them into a table.

``python -m tests.bench.floor BASE_URL FOLDER``; nothing is modelled, merged, checked or published.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import httpx

FIELDS = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"
RECORD = """STRUCT(id VARCHAR, "traceId" VARCHAR, "startTime" TIMESTAMP, "endTime" TIMESTAMP, "projectId" VARCHAR,
    "parentObservationId" VARCHAR, "type" VARCHAR, "name" VARCHAR, "level" VARCHAR, "statusMessage" VARCHAR,
    "version" VARCHAR, environment VARCHAR, bookmarked BOOLEAN, public BOOLEAN, "userId" VARCHAR, "sessionId" VARCHAR,
    "isRootObservation" BOOLEAN, "completionStartTime" TIMESTAMP, "createdAt" TIMESTAMP, "updatedAt" TIMESTAMP,
    input VARCHAR, output VARCHAR, metadata JSON, model VARCHAR, "internalModelId" VARCHAR, "modelParameters" JSON,
    "usageDetails" MAP(VARCHAR, DOUBLE), "costDetails" MAP(VARCHAR, DOUBLE), "totalCost" DOUBLE, "promptId" VARCHAR,
    "promptName" VARCHAR, "promptVersion" INTEGER, latency DOUBLE, "timeToFirstToken" DOUBLE, tags VARCHAR[],
    release VARCHAR, "traceName" VARCHAR)[]"""
TABLE = """create table observations as select unnest(data, max_depth := 2)
    from read_json($files, columns = {data: $record}, maximum_object_size = 16777216)"""


def main(base_url: str, folder: Path) -> None:
    """Download everything, then read it."""
    download(base_url, folder)
    files = [str(path) for path in sorted(folder.glob("*.json"))]
    with duckdb.connect(str(folder / "floor.duckdb")) as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute(TABLE.replace("$record", "'" + RECORD.replace("\n", " ") + "'"), {"files": files})
        connection.execute("checkpoint")


def download(base_url: str, folder: Path) -> None:
    """All pages of observations, 1000 rows each."""
    folder.mkdir(parents=True, exist_ok=True)
    params: dict[str, str | int] = {"limit": 1000, "fields": FIELDS}
    with httpx.Client(base_url=f"{base_url}/api/public", timeout=60) as client:
        page = 0
        while True:
            body = client.get("/v2/observations", params=params).content
            (folder / f"{page:06d}.json").write_bytes(body)
            page += 1
            tail = body[body.rindex(b'"meta"') :]
            if b"cursor" not in tail:
                return
            params = {**params, "cursor": tail.split(b'"')[5].decode()}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
