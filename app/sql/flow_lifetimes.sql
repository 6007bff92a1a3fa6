-- How long conversations last by value of a dimension. Grain: (value, turns). The values with most sessions by name, the
-- rest as `other`; all_values says how many values there are. Reads `selected`: sessions with all their columns and `value`.
-- abandoned: sessions that were abandoned after so many turns; ended: those that ended then for another reason.
with ranked as (
    select value, row_number() over (order by count(*) desc, value) as place, count(*) over () as all_values
    from selected
    group by value
)

select
    case when r.place <= $limit then s.value else 'other' end as value,
    case when r.place <= $limit then r.place else $limit + 1 end as place,
    s.turns::integer as turns,
    count_if(s.outcome = 'abandoned')::bigint as abandoned,
    count_if(s.outcome is distinct from 'abandoned')::bigint as ended,
    any_value(r.all_values) as all_values
from selected as s
inner join ranked as r using (value)
where s.turns > 0
group by 1, 2, 3
order by place, turns
