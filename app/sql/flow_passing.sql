-- Sessions that pass one step of a flow, or one way between two. Grain: (project_id, session_id).
-- Reads `selected`. Places count as in flow_edges. $step and $next_step are names, or null for any that is not among
-- $not_steps and $not_next. $then says what follows: 'step', 'end' (the path ends), 'more' (it goes on), 'any'.
-- $outcome is null for every outcome.
with walked as (
    select
        project_id, session_id, outcome, len(path) as length,
        case when $from_end then list_reverse(path) else path end as path
    from selected
),

named as (
    select
        *,
        regexp_replace(path[$place], ' x\d+$', '') as step,
        regexp_replace(path[$place + 1], ' x\d+$', '') as next_step
    from walked
    where length >= $place
)

select project_id, session_id, null::integer as turn
from named
where
    case when $step is null then not list_contains($not_steps::varchar[], step) else step = $step end
    and ($outcome is null or outcome = $outcome)
    and case $then
        when 'any' then true
        when 'end' then length = $place
        when 'more' then length > $place
        else length > $place
            and case when $next_step is null then not list_contains($not_next::varchar[], next_step) else next_step = $next_step end
    end
