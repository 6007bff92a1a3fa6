-- Rows and freshness by entity and project; traces and sessions are made of observations and share their watermark. Grain: (project_id, entity). Times UTC; lag_ms is how far the watermark was
-- behind the end of the data when the snapshot was published.
with counts as (
    select project_id, 'observations' as entity, count(*) as stored, max(start_time) as newest
    from marts.observations where not is_synthetic group by project_id
    union all
    select project_id, 'traces', count(*), max(start_time) from marts.traces group by project_id
    union all
    select project_id, 'sessions', count(*), max(start_time) from marts.sessions group by project_id
    union all
    select project_id, 'scores', count(*), max(scored_at) from marts.scores group by project_id
),

marks as (select project_id, entity, max(watermark) as watermark, max(family) as family from meta.watermarks group by project_id, entity)

select
    c.project_id, c.entity, c.stored, c.newest, m.watermark, m.family,
    date_diff('millisecond', m.watermark, (select max(as_of) from meta.as_of))::double as lag_ms
from counts as c
left join marks as m
    on m.project_id = c.project_id
    and m.entity = case when c.entity in ('traces', 'sessions') then 'observations' else c.entity end
order by c.project_id, c.entity
