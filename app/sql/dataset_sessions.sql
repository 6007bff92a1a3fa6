-- Conversations as candidates of a dataset. Grain: (project_id, unit_id = session), those whose last turn has an input.
-- Reads `selected`: sessions; `texts`: what was said in their traces; `corrections`; `strata`: (project_id, unit_id,
-- stratum). The item asks for the answer to the last turn, after the turns before it. That answer is expected where the
-- session was not escalated or abandoned and the turn has no ERROR; else the correction, or nothing. Times UTC.
with turns as (
    select
        t.project_id, t.session_id, t.trace_id, t.start_time, t.is_error, x.words, x.input, x.output, x.input_place,
        c.output as correction,
        row_number() over (partition by t.project_id, t.session_id order by t.turn_index desc) as from_end
    from marts.traces as t
    semi join selected using (project_id, session_id)
    left join texts as x using (project_id, trace_id)
    left join corrections as c using (project_id, trace_id)
),

talks as (
    select
        project_id, session_id,
        string_agg(words, chr(30) order by from_end desc) as words,
        coalesce(list({'input': input, 'output': output} order by from_end desc)
            filter (from_end > 1 and input is not null), []) as history
    from turns
    group by project_id, session_id
)

select
    s.project_id,
    'session' as kind,
    s.session_id as unit_id,
    'session ' || s.session_id as kept_together,
    s.start_time,
    k.words,
    to_json({'history': k.history, 'input': l.input}) as input,
    case when l.correction is not null then l.correction when not s.is_doubtful then l.output end as expected_output,
    l.trace_id as source_trace_id,
    l.input_place as source_observation_id,
    coalesce(g.stratum, '(none)') as stratum,
    to_json({
        'session_id': s.session_id,
        'turns': s.turns,
        'outcome': s.outcome,
        'outcome_reason': s.outcome_reason,
        'environment': s.environment,
        'release': s.release,
        'tags': s.tags,
        'models': s.models,
        'timestamp': strftime(s.start_time, '%Y-%m-%dT%H:%M:%S.%fZ'),
        'status': if(l.is_error, 'error', 'success'),
        'is_corrected': l.correction is not null,
        'recorded_output': case when s.is_doubtful or l.correction is not null then l.output end
    }) as metadata
from (
    select c.*, t.is_error or c.outcome in ('escalated', 'abandoned') as is_doubtful
    from selected as c
    join turns as t using (project_id, session_id)
    where t.from_end = 1 and t.input is not null
) as s
join turns as l on l.project_id = s.project_id and l.session_id = s.session_id and l.from_end = 1
join talks as k on k.project_id = s.project_id and k.session_id = s.session_id
left join strata as g on g.project_id = s.project_id and g.unit_id = s.session_id
