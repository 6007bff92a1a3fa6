-- grain: one row per name of a step among the touched sessions
-- key: raw
-- step: what it is called, by the first [flow] rename that fits; is_ignored: by its old or its new name
-- source: int_session_traces, int_step_rules
with renamed as (
    select named.raw, coalesce(arg_min(rule.name, rule.place), named.raw) as step
    from (select distinct step as raw from int_session_traces) as named
    left join int_step_rules as rule on rule.name is not null and named.raw glob rule.pattern
    group by named.raw
)

select
    renamed.raw,
    renamed.step,
    exists (
        from int_step_rules as rule
        where rule.name is null and (renamed.raw glob rule.pattern or renamed.step glob rule.pattern)
    ) as is_ignored
from renamed
