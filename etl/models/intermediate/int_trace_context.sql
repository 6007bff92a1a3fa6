-- grain: one row per touched trace
-- key: trace_key
-- What a trace is called and whose it is: from the trace object where there is one, else the latest value that any of
-- its rows carries (ties: the root, then the later start, then the id), as the server does it.
-- source: stg.observations, int_spans, int_roots
with ranked as (
    select
        span.trace_key,
        span.span_key,
        row_number() over (
            partition by span.trace_key
            order by span.is_synthetic, span.updated_at nulls first, span.span_key = root.root_key, span.start_time,
                span.observation_id
        ) as precedence
    from int_spans as span
    inner join int_roots as root using (trace_key)
),

described as (
    select
        ranked.trace_key,
        ranked.precedence,
        if(observation.is_synthetic, coalesce(observation.trace_name, observation.name), observation.trace_name) as name,
        observation.user_id,
        observation.session_id,
        observation.environment,
        observation.release,
        observation.version,
        observation.tags
    from ranked
    inner join stg.observations as observation using (span_key)
)

select
    trace_key,
    arg_max(name, precedence) filter (name is not null) as propagated_name,
    arg_max(user_id, precedence) filter (user_id is not null) as user_id,
    arg_max(session_id, precedence) filter (session_id is not null) as session_id,
    coalesce(arg_max(environment, precedence) filter (environment is not null), 'default') as environment,
    arg_max(release, precedence) filter (release is not null) as release,
    arg_max(version, precedence) filter (version is not null) as version,
    coalesce(arg_max(tags, precedence) filter (len(tags) > 0), []::varchar[]) as tags
from described
group by trace_key
