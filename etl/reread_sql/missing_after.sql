-- grain: one row per row that may have been deleted: missing since now or since before, or not looked for in this run
select project_id, entity, family, trace_id, row_id, started, missed_at
from missing_before
where not exists (
    select 1
    from looked
    where looked.project_id = missing_before.project_id
        and looked.entity = missing_before.entity
        and looked.family = missing_before.family
        and missing_before.started >= looked.start_at
        and missing_before.started < looked.end_at
)
union all
select project_id, entity, family, trace_id, row_id, started, missed_at
from still_missing
where missed_at > $until
