-- Traces in whose words a pattern is found. Grain: (project_id, trace_id), a trace may stand twice.
-- A trace's words are what its own row received and returned, as the transcript shows them; where the client left that
-- row empty, as agent frameworks do, those of its generations. Prompts and tool results of inner steps are no words of
-- the conversation, else each one with "refund" in its instructions would be found.
select r.project_id, r.trace_id
from raw.observations r
where r.deleted_at is null
    and r.start_time >= {start}
    and (r.parent_observation_id is null or r.is_root_observation or r.is_synthetic)
    and (regexp_matches(r.input, {pattern}, 'i') or regexp_matches(r.output, {pattern}, 'i'))
union all
select g.project_id, g.trace_id
from raw.observations g
where g.deleted_at is null
    and g.start_time >= {start}
    and g.type = 'GENERATION'
    and (regexp_matches(g.input, {pattern}, 'i') or regexp_matches(g.output, {pattern}, 'i'))
    and not exists (
        select 1
        from raw.observations o
        where o.project_id = g.project_id
            and o.trace_id = g.trace_id
            and o.start_time >= {start}
            and (o.parent_observation_id is null or o.is_root_observation or o.is_synthetic)
            and (o.input is not null or o.output is not null)
    )
