-- Where a score is bad more often. Grain: (dimension, value). Reads `selected`: scores of the window.
-- hit: scores that are bad ($label, or x at most $cut, at least $cut where $is_high) among those exposed to the value.
-- A score counts under each model, failed tool and prompt version that its observation, trace or session touched.
with marked as (
    select
        *, if($is_high, x >= $cut, x <= $cut) as is_hit
    from (
        select
            project_id, score_id, trace_id, session_id,
            if($label is null, if($normalised, value_normalised, value), (string_value is not distinct from $label)::int)
                as x
        from selected
        where name = $score and data_type = $data_type
    )
    where x is not null
),

subjects as (
    select
        m.score_id, m.project_id, m.trace_id, coalesce(m.session_id, t.session_id) as session_id, m.is_hit,
        t.name as trace_name, coalesce(t.release, c.release) as release,
        coalesce(t.environment, c.environment) as environment,
        coalesce(t.models, list_distinct(c.models)) as models,
        coalesce(t.is_error, c.error_count > 0) as is_error,
        t.prompt_name || ' v' || t.prompt_version as prompt_version,
        if(t.trace_id is null, c.last_step, null) as last_step, p.label as topic
    from marked as m
    left join marts.traces as t on t.project_id = m.project_id and t.trace_id = m.trace_id
    left join marts.sessions as c
        on c.project_id = m.project_id and c.session_id = coalesce(m.session_id, t.session_id)
    left join marts.topics as p on p.topic_id = c.topic_id
),

tools as (
    select distinct project_id, trace_id, session_id, tool_name
    from marts.observations
    where type = 'TOOL' and is_error and tool_name is not null
),

spread as (
    select 'model' as dimension, unnest(models) as value, score_id, is_hit from subjects
    union all select 'release', release, score_id, is_hit from subjects
    union all select 'trace_name', trace_name, score_id, is_hit from subjects
    union all select 'last_step', last_step, score_id, is_hit from subjects
    union all select 'environment', environment, score_id, is_hit from subjects
    union all select 'prompt_version', prompt_version, score_id, is_hit from subjects
    union all select 'is_error', if(is_error, 'yes', null), score_id, is_hit from subjects
    union all select 'topic', topic, score_id, is_hit from subjects
    union all
    select distinct 'tool_error', x.tool_name, s.score_id, s.is_hit
    from subjects as s
    join tools as x on x.project_id = s.project_id and x.trace_id = s.trace_id
    union all
    select distinct 'tool_error', x.tool_name, s.score_id, s.is_hit
    from subjects as s
    join tools as x on x.project_id = s.project_id and x.session_id = s.session_id
    where s.trace_id is null
)

select
    dimension, value,
    count(*) filter (is_hit) as hit,
    count(*) as exposed,
    (select count(*) from marked where is_hit) as all_hit,
    (select count(*) from marked) as all_exposed
from spread
where value is not null
group by dimension, value
order by hit desc, dimension, value
