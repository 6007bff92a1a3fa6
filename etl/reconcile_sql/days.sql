-- grain: one row per day (UTC) with rows of the project in the window; times of observations
-- row_count: as the server counts them, the trace objects among them where it keeps them as rows; unit of cost: USD
select
    date_trunc('day', start_time)::date as day,
    count(*) filter (deleted_at is null and (family = 'modern' or not is_synthetic)) as row_count,
    coalesce(sum(total_cost) filter (deleted_at is null), 0) as cost_usd
from raw.observations
where project_id = $project_id and start_time >= $start and start_time < $end
group by all
order by day
