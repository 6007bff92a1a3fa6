-- Traces by a metadata key (here the first one in use)
select
    key,
    metadata ->> key as value,
    count(*) as traces
from (select metadata, unnest(json_keys(metadata)) as key from marts.traces)
group by all
order by traces desc
limit 100
