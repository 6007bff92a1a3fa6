-- How many units carry a score. Grain: (part); a unit counts under each of its values, the row with is_total once.
-- Reads `units`: (project_id, unit_id, part, ...), and `scored` (score_scored.sql).
with flagged as (
    select u.project_id, u.unit_id, u.part, s.unit_id is not null as is_scored
    from units as u
    left join scored as s using (project_id, unit_id)
),

parts as (
    select part, false as is_total, count(*) as units, count(*) filter (is_scored) as scored
    from flagged
    where part is not null
    group by part
),

whole as (
    select null::varchar as part, true as is_total, count(*) as units, count(*) filter (is_scored) as scored
    from (select project_id, unit_id, bool_or(is_scored) as is_scored from flagged group by project_id, unit_id)
)

select * from whole union all select * from parts order by is_total desc, units desc, part
