-- grain: one row per piece of the stretch, each of about one page, in which a returned row would win over the stored one
-- The rule is that of the load: unknown, back from deletion, or of a greater updated_at. An older version never wins, so
-- it is no reason to read: rows of the other family, and duplicates, would be one in every run.
with newest as (
    select trace_id, row_id, max(updated_at) as updated_at, arg_max(started, updated_at) as started
    from returned
    group by trace_id, row_id
),

changed as (
    select newest.started
    from newest left join stored using (trace_id, row_id)
    where stored.row_id is null or stored.is_deleted or newest.updated_at > stored.updated_at
),

numbered as (
    select date_trunc('milliseconds', started) as moment, row_number() over (order by started) - 1 as position
    from returned
),

edges as (
    select distinct moment as edge from numbered where position % $rows_per_piece = 0
),

pieces as (
    select edge, lead(edge, 1, $end) over (order by edge) as until from edges
)

select distinct pieces.edge, pieces.until
from changed asof join pieces on changed.started >= pieces.edge
order by pieces.edge
