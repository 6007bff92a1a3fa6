-- How many scores are bad. One row. Reads `selected`: scores of the window. $label: the category that is bad; NULL: x up to
-- $cut (from $cut, $is_high).
with told as (
    select
        if($label is null, if($normalised, value_normalised, value), (string_value is not distinct from $label)::int)
            as x
    from selected
    where name = $score and data_type = $data_type
)

select count(x) as scores, count(*) filter (if($is_high, x >= $cut, x <= $cut)) as hits from told
