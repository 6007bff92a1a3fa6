-- One metric over many windows at once. Grain: one row per window (look) and group (d0) that is to be answered.
-- Time is cut at each edge of a window: a unit lies in one piece, a window is a run of pieces, and numbers that add up
-- are added once for each piece instead of once for each window.
-- source: the units of the metric's mart; times naive UTC
with asked as materialized (
    select
        unnest(range(len({since}::timestamp[]))) as look,
        unnest({since}::timestamp[]) as since,
        unnest({until}::timestamp[]) as until,
        '' as d0
),

{latest}

edges as materialized (
    select t, row_number() over (order by t) as edge
    from (select since as t from {windows} union select until from {windows} union select {first})
),

pieces as (
    select {window_keys}, unnest(range(s.edge, e.edge)) as edge
    from {windows} w
    join edges s on s.t = w.since
    join edges e on e.t = w.until
),

units as (select *, {time} as happened_at from ({units})),

-- The piece of each moment. An ASOF join would do, but becomes a nested loop where few units are expected.
moments as (
    select t, edge
    from (
        select t, is_unit, max(edge) over (order by t) as edge
        from (select t, edge, false as is_unit from edges union all select distinct happened_at, null, true from units)
    )
    where is_unit and t < (select max(t) from edges)
),

placed as (select u.*, m.edge from units u join moments m on m.t = u.happened_at where m.edge is not null),

{present}

counted as (select edge, d0, {of_piece} from placed group by all),

together as (select look, d0, {of_window} from pieces join {parts} using ({keys}) group by all)

select w.look, w.d0, w.since, coalesce(t.n_units, 0) as n_units, t.* exclude (look, d0, n_units)
from {wanted} w
left join together t using (look, d0)
