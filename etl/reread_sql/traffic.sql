-- One row: observations and scores a day over the last week of data, bytes of an observation as it is sent (text plus
-- about 900 bytes of the rest), and model definitions; all projects together, because a limit is an organization's.
with ends as (select max(watermark) as until from meta.watermarks where entity = 'observations'),

recent as (
    select start_time, coalesce(strlen(input), 0) + coalesce(strlen(output), 0) + 900 as row_bytes
    from raw.observations
    where start_time >= (select until - interval 7 day from ends) and start_time < (select until from ends)
),

-- a project that is younger than a week: over the days that it has
days as (
    select greatest(1.0, (epoch((select until from ends)) - epoch(min(start_time))) / 86400.0) as length from recent
)

select
    (select count(*) from recent) / (select length from days),
    (select count(*) from raw.scores where scored_at >= (select until - interval 7 day from ends)) / (select length from days),
    (select avg(row_bytes) from recent where start_time >= (select until - interval 1 day from ends)),
    (select count(*) from raw.models)
