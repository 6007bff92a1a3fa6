-- Traces in whose words a pattern is found. Grain: (project_id, trace_id), a trace may stand twice.
-- A trace's words are what its own row received and returned, as the transcript shows them; where the client left that
-- row empty, as agent frameworks do, those of its generations. Prompts and tool results of inner steps are no words of
-- the conversation, else each one with "refund" in its instructions would be found.
with rows as {how} (
    select project_id, trace_id, type, deleted_at, input, output,
        parent_observation_id is null or is_root_observation or is_synthetic as is_own
    from raw.observations
    where {which}
)

select r.project_id, r.trace_id
from rows r
where r.deleted_at is null
    and r.is_own
    and (regexp_matches(r.input, {pattern}, 'i') or regexp_matches(r.output, {pattern}, 'i'))
union all
select g.project_id, g.trace_id
from rows g
where g.deleted_at is null
    and g.type = 'GENERATION'
    and (regexp_matches(g.input, {pattern}, 'i') or regexp_matches(g.output, {pattern}, 'i'))
    and not exists (
        select 1
        from rows o
        where o.project_id = g.project_id
            and o.trace_id = g.trace_id
            and o.is_own
            and (o.input is not null or o.output is not null)
    )
