-- Traits of traces, scored against unscored. Grain: (dimension, value). Reads `units` and `scored` (score_scored.sql).
-- Shares: hit of all_scored have the value, other_hit of all_other. Measures (value NULL): mean and variance of the
-- natural logarithm over units where it is positive, n in hit and other_hit.
with flagged as materialized (
    select
        u.is_error, u.is_failed, u.turn_index, u.name, u.environment, u.release, u.models, u.latency_ms, u.total_tokens,
        u.observation_count,
        s.unit_id is not null as is_scored
    from units as u
    left join scored as s using (project_id, unit_id)
),

traits as (
    select 'error' as dimension, if(is_error, 'yes', null) as value, is_scored from flagged
    union all select 'failed', if(is_failed, 'yes', null), is_scored from flagged
    union all select 'first_turn', if(turn_index = 1, 'yes', null), is_scored from flagged
    union all select 'trace_name', name, is_scored from flagged
    union all select 'environment', environment, is_scored from flagged
    union all select 'release', release, is_scored from flagged
    union all select 'model', unnest(models), is_scored from flagged
),

measures as (
    unpivot (
        select is_scored, latency_ms::double as latency_ms, total_tokens::double as total_tokens,
               observation_count::double as observation_count
        from flagged
    ) on latency_ms, total_tokens, observation_count into name dimension value amount
),

sizes as (select count(*) filter (is_scored) as scored, count(*) filter (not is_scored) as other from flagged)

select
    dimension, value, count(*) filter (is_scored) as hit, count(*) filter (not is_scored) as other_hit,
    any_value(sizes.scored) as all_scored, any_value(sizes.other) as all_other,
    null::double as mean, null::double as variance, null::double as other_mean, null::double as other_variance
from traits, sizes
where value is not null
group by dimension, value
union all
select
    dimension, null, count(*) filter (is_scored), count(*) filter (not is_scored),
    any_value(sizes.scored), any_value(sizes.other),
    avg(ln(amount)) filter (is_scored), var_samp(ln(amount)) filter (is_scored),
    avg(ln(amount)) filter (not is_scored), var_samp(ln(amount)) filter (not is_scored)
from measures, sizes
where amount > 0
group by dimension
order by dimension, hit desc, value
