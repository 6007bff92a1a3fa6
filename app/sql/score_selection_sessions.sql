-- Traits of sessions, scored against unscored; columns as score_selection_traces.sql says.
with flagged as materialized (
    select
        u.error_count, u.failed_count, u.last_step, u.environment, u.release, u.models, u.duration_ms, u.total_tokens,
        u.turns,
        s.unit_id is not null as is_scored
    from units as u
    left join scored as s using (project_id, unit_id)
),

traits as (
    select 'error' as dimension, if(error_count > 0, 'yes', null) as value, is_scored from flagged
    union all select 'failed', if(failed_count > 0, 'yes', null), is_scored from flagged
    union all select 'last_step', last_step, is_scored from flagged
    union all select 'environment', environment, is_scored from flagged
    union all select 'release', release, is_scored from flagged
    union all select 'model', unnest(list_distinct(models)), is_scored from flagged
),

measures as (
    unpivot (
        select is_scored, duration_ms::double as duration_ms, total_tokens::double as total_tokens, turns::double as turns
        from flagged
    ) on duration_ms, total_tokens, turns into name dimension value amount
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
