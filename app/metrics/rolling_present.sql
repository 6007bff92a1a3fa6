-- A group is answered as long as it had a unit within {remembered} before the window's end.
gaps as (
    select d0, first, last, first - lag(last) over (partition by d0 order by first) as gap from ({activity})
),

islands as (
    select d0, first, last, count_if(coalesce(gap > {remembered}, false)) over same as island
    from gaps
    window same as (partition by d0 order by first)
),

present as (select d0, min(first) as first, max(last) + {remembered} as last from islands group by d0, island),

answered as (
    select a.look, a.since, a.until, p.d0
    from present p
    join asked a on a.until > p.first and a.until <= p.last
),
