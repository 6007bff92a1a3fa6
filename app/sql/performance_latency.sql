-- How latencies are spread: ten bins to a power of ten. Grain: bin. low and high are its edges in ms; count is traces.
-- Reads `selected`: traces. A trace that took no time at all stands in the bin from 0 to 1 ms, without an end in none.
select
    if(place is null, 0, 10 ** (place / 10))::double as low,
    if(place is null, 1, 10 ** ((place + 1) / 10))::double as high,
    count(*) as count
from (
    select if(latency_ms < 1, null, floor(log10(latency_ms) * 10 + 1e-9)) as place
    from selected
    where latency_ms is not null
)
group by place
order by low
