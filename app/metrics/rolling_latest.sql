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

counted_before as (
    select look, until, d0, so_far
    from (
        select look, t as until, d0, max(so_far) over (partition by d0 order by t, look is null) as so_far
        from (
            select look, until as t, d0, null as so_far from {ends}
            union all
            select null, t, d0, so_far from numbered
        )
    )
    where look is not null
),

reached as (
    select e.look, e.d0, coalesce(s.t, e.until) as since, e.until
    from counted_before e
    left join numbered s on s.d0 = e.d0 and s.place = greatest(e.so_far - {latest} + 1, 1)
),
