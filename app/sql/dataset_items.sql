-- Which items a dataset has, without their texts, and before them what was left out. Reads `candidates`; `chosen`: all
-- that was asked for. dataset_lines.sql writes the items.
-- $size: at most so many items, NULL for all. $splits: names; $ends: where each but the last ends, between 0 and 1.
-- part 0: the summary as JSON; part 1: an item each.
-- Everything that looks random is a hash of an id, so more data moves no item from split to split and no row order
-- shows. Of equal inputs (whatever their case, blanks, form of Unicode and spelling of JSON) the earliest stays. A stratum
-- gives its first item before any gives a second, and then in proportion to its size.
with normal as (
    select
        project_id, kind, unit_id, kept_together, start_time, stratum,
        md5(regexp_replace(trim(lower(nfc_normalize(
            case when json_valid(words) then json(words)::varchar else words end
        ))), '(\s|\\[nrt])+', ' ', 'g')) as said,
        left(sha256(concat_ws(chr(31), kind, project_id, unit_id)), 24) as id
    from candidates
),

distinct_ones as (
    select * from normal
    qualify row_number() over (partition by said order by start_time, project_id, unit_id) = 1
),

placed as (
    select
        *,
        row_number() over (partition by stratum order by id) as place,
        count(*) over (partition by stratum) as available,
        ('0x' || left(md5(concat_ws(chr(31), 'split', project_id, kept_together)), 13))::ubigint
            / 4503599627370496.0 as draw
    from distinct_ones
),

ranked as (
    select *, row_number() over (order by place > 1, (place - 0.5) / available, available desc, id) as rank from placed
),

sampled as (
    select
        *,
        list_extract($splits::varchar[], 1 + len(list_filter($ends::double[], lambda edge: edge <= draw))) as split
    from ranked
    where $size is null or rank <= $size
),

strata_of as (
    select p.stratum, any_value(p.available) as available, count(s.id) as items
    from placed as p
    left join sampled as s using (id)
    group by p.stratum
),

summary as (
    select to_json({
        'candidates': (select count(*) from chosen),
        'with_input': (select count(*) from candidates),
        'distinct': (select count(*) from distinct_ones),
        'items': (select count(*) from sampled),
        'projects': (select coalesce(list(distinct project_id), []) from sampled),
        'strata': (select coalesce(list({'value': stratum, 'available': available, 'items': items}
            order by available desc, stratum), []) from strata_of),
        'splits': (select coalesce(list({'name': split, 'items': n}), []) from (
            select split, count(*) as n from sampled where split is not null group by split))
    })::varchar as line
)

select 0 as part, line, null as id, null as project_id, null as unit_id, null as stratum, null as split from summary
union all
select 1, null, id, project_id, unit_id, stratum, split from sampled
