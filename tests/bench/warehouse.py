"""A large warehouse without a server: ``python -m tests.bench.warehouse HOME [--observations N]``.

Raw rows are made by the engine, then the real models run over them; the result is published as any run's.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from etl.settings import Definitions
from etl.transform import transform
from etl.warehouse.snapshots import Warehouse

PER_TRACE = 5
STATEMENT = (Path(__file__).parent / "warehouse.sql").read_text(encoding="utf-8")
# Every 24th score is an escalation; the ratings resolve, and failed last turns abandon (warehouse.sql).
SCORES = """insert into raw.scores by name select 'bench' as project_id, 'score-' || range as score_id,
    case when range % 24 = 1 then 'escalated' else ['user_satisfaction', 'helpfulness'][1 + range % 2] end as name,
    if(range % 24 = 1, 'BOOLEAN', 'NUMERIC') as data_type, 'API' as source,
    case when range % 24 = 1 then 1 when range % 2 = 0 then 1 + hash(range) % 5
         else (hash(range) % 100) / 100.0 end as value,
    'trace' as subject_kind, printf('%032x', (range * 4 // 3)::bigint) as trace_id,
    $end::timestamp - interval 90 days + to_microseconds((range * 4 / 3 * (90.0 * 86400e6 / $traces))::bigint)
        + interval 9 seconds as scored_at, 'bench' as run_id from range(($traces * 3 / 4)::bigint)"""


def build(home: Path, observations: int) -> Path:
    """Make and publish a warehouse of so many observations that end now; its snapshot's path."""
    end = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    values = {"traces": observations // PER_TRACE, "end": end}
    with Warehouse(home / "warehouse").building(now=end, memory_mb=4000) as building:
        building.make_writable()
        run = building.connection.execute
        run(f"insert into raw.observations by name {STATEMENT}", values)
        run(SCORES, values)
        run("insert into raw.projects (project_id, name, run_id) values ('bench', 'Bench', 'bench')")
        run("insert into meta.watermarks values ('bench', 'observations', 'modern', $end, 'bench')", {"end": end})
        run("insert into meta.as_of values ($end, 'bench', true)", {"end": end})
        transform(building.connection, Definitions(), end)
        return building.publish().path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--observations", type=int, default=1_000_000)
    options = parser.parse_args()
    print(build(options.home, options.observations))  # noqa: T201 - its one result
