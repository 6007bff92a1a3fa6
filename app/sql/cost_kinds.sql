-- Dollars by what the tokens were for. Grain: kind. USD.
-- Reads `selected`: observations that the filters pick. The server's own split (cost_details) is used where the cost is
-- the server's; what has none, and what a split leaves over, is `not split`.
with priced as (
    select cost_usd, if(cost_source = 'langfuse', cost_details, null) as details
    from selected
    where cost_usd > 0 and not is_double_counted
),

parts as (
    select lower(e.key) as key, e.value as usd
    from (select unnest(map_entries(details)) as e from priced where details is not null)
    where e.value > 0 and lower(e.key) not in ('total', 'total_cost')
),

kinds as (
    select
        case
            when key like '%cache_creation%' or key like '%cache_write%' then 'cache write'
            when key like '%cache%' then 'cache read'
            when key like '%reasoning%' or key like '%thoughts%' then 'reasoning'
            when key like '%output%' or key like '%completion%' or key like '%candidates%' then 'output'
            else 'input'
        end as kind,
        usd
    from parts
),

summed as (select kind, sum(usd)::double as cost_usd from kinds group by kind)

select * from summed
union all
select 'not split', (select coalesce(sum(cost_usd), 0) from priced) - (select coalesce(sum(cost_usd), 0) from summed)
order by cost_usd desc
