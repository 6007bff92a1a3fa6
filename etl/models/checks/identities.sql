-- grain: one row per identity that must hold between marts, and how many rows break it (1 for an identity of sums)
-- source: marts.observations, marts.traces, marts.sessions
with observations as (
    select
        sum(cost_usd) filter (not is_synthetic) as cost_usd,
        sum(total_tokens) filter (not is_synthetic) as total_tokens,
        count(*) filter (not is_synthetic) as observation_count,
        count(*) filter (not is_synthetic and is_error) as error_count,
        count(*) filter (is_root) as root_count,
        count(distinct hash(project_id, trace_id)) as trace_count,
        count(*) filter (total_tokens <> input_tokens + output_tokens) as broken_totals,
        count(*) filter ((cost_source is null) <> (cost_usd is null)) as broken_prices,
        count(*) filter (is_double_counted and (cost_usd <> 0 or total_tokens <> 0)) as broken_wrappers,
        count(*) filter (error_group_id is not null and (is_propagated or not is_error)) as broken_groups,
        count(*) filter (self_time_ms > latency_ms + 1e-6 or self_time_ms < -1e-6) as broken_self_times
    from marts.observations
),

traces as (
    select
        sum(cost_usd) as cost_usd,
        sum(cost_usd) filter (session_id is not null) as session_cost_usd,
        sum(total_tokens) as total_tokens,
        sum(observation_count) as observation_count,
        sum(error_count) as error_count,
        count(*) as trace_count,
        count(*) filter (session_id is not null) as turns,
        count(*) filter (total_tokens <> input_tokens + output_tokens) as broken_totals,
        count(*) filter (is_error <> (error_count > 0)) as broken_errors,
        count(*) filter ((turn_index is null) <> (session_id is null)) as broken_turns
    from marts.traces
),

sessions as (
    select
        sum(cost_usd) as cost_usd,
        sum(turns) as turns,
        count(*) filter (total_tokens <> input_tokens + output_tokens) as broken_totals,
        count(*) filter (user_turns > turns or len(path) > turns) as broken_turns
    from marts.sessions
),

occurrences as (
    select coalesce(sum(occurrence_count), 0) as grouped from marts.error_groups
)

select * from (
    select unnest([
        {'check': 'cost of observations = cost of traces', 'mart': 'traces',
            'broken': (abs(coalesce(o.cost_usd, 0) - coalesce(t.cost_usd, 0)) > 1e-9 * greatest(o.observation_count, 1))::bigint},
        {'check': 'cost of traces with a session = cost of sessions', 'mart': 'sessions',
            'broken': (abs(coalesce(t.session_cost_usd, 0) - coalesce(s.cost_usd, 0)) > 1e-9 * greatest(t.turns, 1))::bigint},
        {'check': 'tokens of observations = tokens of traces', 'mart': 'traces',
            'broken': (coalesce(o.total_tokens, 0) <> coalesce(t.total_tokens, 0))::bigint},
        {'check': 'observations = observations of traces', 'mart': 'traces',
            'broken': abs(o.observation_count - coalesce(t.observation_count, 0))::bigint},
        {'check': 'errors of observations = errors of traces', 'mart': 'traces',
            'broken': abs(o.error_count - coalesce(t.error_count, 0))::bigint},
        {'check': 'every trace of an observation is in marts.traces', 'mart': 'traces', 'broken': abs(o.trace_count - t.trace_count)},
        {'check': 'every trace has one root', 'mart': 'observations', 'broken': abs(o.root_count - t.trace_count)},
        {'check': 'turns of sessions = traces with a session', 'mart': 'sessions', 'broken': abs(coalesce(s.turns, 0) - t.turns)::bigint},
        {'check': 'occurrences of groups = grouped errors', 'mart': 'error_groups',
            'broken': abs(occurrences.grouped - (select count(*) from marts.observations where error_group_id is not null))::bigint},
        {'check': 'total tokens = input + output', 'mart': 'observations', 'broken': o.broken_totals + t.broken_totals + s.broken_totals},
        {'check': 'a cost has a source, unpriced is NULL', 'mart': 'observations', 'broken': o.broken_prices},
        {'check': 'a wrapper counts nothing', 'mart': 'observations', 'broken': o.broken_wrappers},
        {'check': 'only origins of errors have a group', 'mart': 'observations', 'broken': o.broken_groups},
        {'check': 'self time lies within latency', 'mart': 'observations', 'broken': o.broken_self_times},
        {'check': 'is_error says whether errors are counted', 'mart': 'traces', 'broken': t.broken_errors},
        {'check': 'a turn index goes with a session', 'mart': 'traces', 'broken': t.broken_turns},
        {'check': 'no more user turns or steps than traces', 'mart': 'sessions', 'broken': s.broken_turns}
    ], recursive := true)
    from observations as o, traces as t, sessions as s, occurrences
)
