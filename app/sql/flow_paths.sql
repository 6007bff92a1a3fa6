-- The commonest paths of the conversations. Grain: (path), the rest together in one row without a path. Cost USD.
-- Reads `selected`: sessions with all their columns. A path is cut after $steps steps; an ellipsis says that it went on.
-- known: sessions with a known outcome. paths: how many different paths the row stands for. total: all sessions.
with cut as (
    select
        case when len(path) > $steps then list_append(path[1:$steps], '…') else coalesce(path, []) end as path,
        outcome, turns, cost_usd
    from selected
),

counted as (
    select
        path,
        count(*) as sessions,
        count_if(outcome in ('resolved', 'escalated', 'abandoned')) as known,
        count_if(outcome = 'resolved') as resolved,
        count_if(outcome = 'escalated') as escalated,
        count_if(outcome = 'abandoned') as abandoned,
        sum(turns) as turns,
        sum(cost_usd) as cost_usd
    from cut
    group by path
),

ranked as (
    select *, row_number() over (order by sessions desc, path) as place from counted
)

select
    least(place, $limit + 1) as place,
    case when min(place) <= $limit then any_value(path) end as path,
    count(*) as paths,
    sum(sessions)::bigint as sessions,
    sum(known)::bigint as known,
    sum(resolved)::bigint as resolved,
    sum(escalated)::bigint as escalated,
    sum(abandoned)::bigint as abandoned,
    sum(turns)::double / sum(sessions) as turns,
    sum(cost_usd) / sum(sessions) as cost_usd,
    (select count(*) from selected) as total
from ranked
group by least(place, $limit + 1)
order by 1
