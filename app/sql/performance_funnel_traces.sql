-- The traces behind one figure of a funnel, newest first. Grain: (project_id, trace_id). Times UTC, durations ms, cost USD.
-- Reads `walks` and `ends`. $figure: reached, exits, retried or looped, of the step $step; total is how many there are.
select
    t.project_id, t.trace_id, t.start_time, t.name, e.ended_with, w.time_ms, w.retries, w.loops, t.latency_ms, t.cost_usd,
    t.is_failed, t.user_id, t.session_id,
    count(*) over () as total
from walks as w
join ends as e using (project_id, trace_id)
join marts.traces as t using (project_id, trace_id)
where w.has_first and w.step = $step
    and case $figure
        when 'exits' then w.furthest = w.step
        when 'retried' then w.retries > 0
        when 'looped' then w.loops > 0
        else true
    end
order by t.start_time desc, t.trace_id
limit $limit
