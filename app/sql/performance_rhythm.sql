-- Latency and success by weekday and hour of the display zone. Grain: (weekday, hour); weekday 1 is Monday.
-- Reads `selected`: traces. Durations ms, success_rate a share. $changes and $offsets are the zone's clock.
select
    isodow(local) as weekday,
    hour(local) as hour,
    count(*) as traces,
    quantile_cont(latency_ms, 0.5) as latency_p50_ms,
    quantile_cont(latency_ms, 0.95) as latency_p95_ms,
    count_if(not is_error) / count(*) as success_rate
from (
    select
        start_time + to_seconds($offsets[1 + len(list_filter($changes::timestamp[], lambda c: c <= start_time))]) as local,
        latency_ms, is_error
    from selected
)
group by all
order by all
