-- What an arm was made of early and late. Grain: (arm, kind, value); kind is model or prompt. Reads `exposed`.
-- early and late are shares of the arm's traces in the first and last third of the time that all arms span, among traces
-- that have any value of that kind; shares of models may add up to more than 1, as a trace may call several.
with bounds as (
    select min(start_time) as first_seen, max(start_time) as last_seen
    from exposed
),

placed as (
    select
        arm, models, prompt_name, prompt_version,
        case
            when start_time < first_seen + (last_seen - first_seen) / 3 then 'early'
            when start_time >= last_seen - (last_seen - first_seen) / 3 then 'late'
        end as part
    from exposed
    cross join bounds
),

made as (
    select arm, part, 'model' as kind, list_distinct(models) as names
    from placed
    where part is not null and len(models) > 0
    union all
    select arm, part, 'prompt', [concat_ws(' version ', prompt_name, prompt_version)]
    from placed
    where part is not null and prompt_name is not null
),

sizes as (select arm, kind, part, count(*) as traces from made group by all),

shown as (select arm, kind, part, unnest(names) as value from made),

counted as (select arm, kind, part, value, count(*) as traces from shown group by all)

select
    arm, kind, value,
    coalesce(max(c.traces / s.traces) filter (part = 'early'), 0.0) as early,
    coalesce(max(c.traces / s.traces) filter (part = 'late'), 0.0) as late,
    min(s.traces) as smallest
from counted as c
join sizes as s using (arm, kind, part)
group by arm, kind, value
order by abs(early - late) desc, arm, kind, value
