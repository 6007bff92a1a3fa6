-- What counts as a low or a high number, and how many scores that is. One row. Reads `selected`: scores of the window.
-- quarter: scores in the worst quarter of the scale, up to (or from, $is_high) quarter_cut; fifth: the same for the worst
-- fifth of what was given.
with numbers as (
    select if($normalised, value_normalised, value) as x, value_normalised as place
    from selected
    where name = $score and data_type = $data_type and if($normalised, value_normalised, value) is not null
),

cuts as (
    select
        count(*) as scores,
        count(*) filter (if($is_high, place >= 0.75, place <= 0.25)) as quarter,
        case when $is_high then min(x) filter (place >= 0.75) else max(x) filter (place <= 0.25) end as quarter_cut,
        quantile_disc(x, if($is_high, 0.8, 0.2)) as fifth_cut,
        count(distinct x) as different
    from numbers
)

select *, (select count(*) from numbers where if($is_high, x >= fifth_cut, x <= fifth_cut)) as fifth from cuts
