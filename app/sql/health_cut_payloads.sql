-- How many stored observations have a cut input or output. One row.
select coalesce(sum(observation_count), 0)::bigint as cut from meta.cut_payloads
