-- grain: one row per field that this version does not know, over the records of the batch that change something
create or replace temp table fields_now as
with fields as (
    select unnest(json_keys(record)) as field
    from records semi join (from planned where action in ('insert', 'replace')) using (read_rank)
)

select field, count(*) as record_count
from fields
where field not in (select unnest($known))
group by field
