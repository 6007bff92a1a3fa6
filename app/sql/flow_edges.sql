-- From which step conversations go to which, by place. Grain: (place, step, next_step, outcome, goes_on).
-- Reads `selected`: sessions with all their columns. Places count from the first step, or with $from_end from the last.
-- A step is counted once however often it was repeated at once. next_step is null at the last place that is looked at:
-- the path ends there, or goes on beyond $steps steps (goes_on).
with walked as (
    select outcome, case when $from_end then list_reverse(path) else path end as path
    from selected
),

places as (
    select outcome, path, len(path) as length, unnest(range(1, least(len(path), $steps) + 1)) as place
    from walked
)

select
    place::integer as place,
    regexp_replace(path[place], ' x\d+$', '') as step,
    case when place < least(length, $steps) then regexp_replace(path[place + 1], ' x\d+$', '') end as next_step,
    outcome,
    place = $steps and length > $steps as goes_on,
    count(*) as sessions
from places
group by all
order by place, sessions desc, step, next_step, outcome
