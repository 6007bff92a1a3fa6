-- The scores of the window. Grain: (name, data_type). Reads `selected`: scores of the window, all columns.
-- mean: as given, or on 0-1 where the score is among $mixed; NULL for what has no number. labels, values: the most frequent
-- categories of a categorical score, at most $labels_shown, and their places on the scale 0 to 1.
with counted as (
    select name, data_type, string_value as label, count(*) as scores, any_value(value_normalised) as place
    from selected
    where data_type = 'CATEGORICAL' and string_value is not null
    group by name, data_type, string_value
),

labelled as (
    select
        name, data_type,
        list(label order by scores desc, label)[:$labels_shown] as labels,
        list(place order by scores desc, label)[:$labels_shown] as values
    from counted
    group by name, data_type
),

named as (
    select
        name, data_type,
        list_sort(list_distinct(list(subject_kind))) as subject_kinds,
        list_sort(list_distinct(list(source))) as sources,
        count(*) as scores,
        avg(if(list_contains($mixed::varchar[], name), value_normalised, value)) as mean,
        count(*) filter (comment is not null and comment <> '') as comments,
        mode(subject_kind) as subject_kind,
        max(scored_at) as newest
    from selected
    where name is not null
    group by name, data_type
)

select named.*, labelled.labels, labelled.values
from named
left join labelled using (name, data_type)
order by named.scores desc, named.name, named.data_type
