-- A window reaches back to the start of its group's latest traces; those that start at the same moment are all inside.
numbered as materialized (
    select
        d0,
        start_time as t,
        row_number() over (partition by d0 order by start_time) as place,
        count(*) over (partition by d0 order by start_time) as so_far
    from ({traces})
),

{present}

reached as (
    select e.look, e.d0, coalesce(s.t, e.until) as since, e.until
    from {ends} e
    asof left join (select distinct d0, t, so_far from numbered) c on e.d0 = c.d0 and e.until > c.t
    left join numbered s on s.d0 = e.d0 and s.place = greatest(c.so_far - {latest} + 1, 1)
),
