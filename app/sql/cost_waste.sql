-- Dollars that bought nothing, by why and by feature. Grain: (reason, trace_name). USD.
-- Reads `selected` (observations that the filters pick) and `repeated` (calls that do again what was done).
-- A dollar counts once, under the first reason that holds: errored, retried, looped, abandoned, low-scored.
-- any_usd of a reason is what it would hold without those before it.
with judged as (
    select
        o.trace_name,
        o.trace_id,
        o.cost_usd,
        o.is_error or coalesce(t.is_failed, false) as is_errored,
        coalesce(r.is_retry, false) as is_retried,
        coalesce(not r.is_retry, false) as is_looped,
        coalesce(s.outcome = 'abandoned', false) as is_abandoned,
        exists (
            select 1 from marts.scores c
            where c.project_id = o.project_id and c.trace_id = o.trace_id
                and c.name = $satisfaction and c.value_normalised <= 0.25
        ) as is_low_scored
    from selected o
    left join marts.traces t on t.project_id = o.project_id and t.trace_id = o.trace_id
    left join marts.sessions s on s.project_id = o.project_id and s.session_id = o.session_id
    left join repeated r
        on r.project_id = o.project_id and r.trace_id = o.trace_id and r.observation_id = o.observation_id
    where o.cost_usd > 0
),

reasons as (
    select
        *,
        [x.reason for x in [
            {'reason': 'errored', 'holds': is_errored}, {'reason': 'retried', 'holds': is_retried},
            {'reason': 'looped', 'holds': is_looped}, {'reason': 'abandoned', 'holds': is_abandoned},
            {'reason': 'low-scored', 'holds': is_low_scored}
        ] if x.holds] as holding
    from judged
)

select
    reason,
    coalesce(trace_name, '(none)') as trace_name,
    coalesce(sum(cost_usd) filter (reason = holding[1]), 0)::double as cost_usd,
    sum(cost_usd)::double as any_usd,
    count(distinct trace_id) filter (reason = holding[1])::bigint as traces
from (select *, unnest(holding) as reason from reasons)
group by 1, 2
