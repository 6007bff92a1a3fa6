-- How the numbers of one score spread. Grain: one row per bin. Reads `selected`: scores of the window.
-- With at most 12 different values each is a bin of its own (low = high); else 20 bins of equal width.
with judged as (
    select if($normalised, value_normalised, value) as x
    from selected
    where name = $score and data_type = $data_type and if($normalised, value_normalised, value) is not null
),

bounds as (
    select min(x) as least, max(x) as most, count(distinct x) as different from judged
),

placed as (
    select
        case when different <= 12 then x
             else least + least(floor((x - least) / (most - least) * 20), 19) * (most - least) / 20 end as low,
        if(different <= 12, 0, (most - least) / 20) as width
    from judged, bounds
)

select low, low + any_value(width) as high, count(*) as count
from placed
group by low
order by low
