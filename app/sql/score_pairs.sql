-- Two scores of the same subject side by side, counted. Grain: (a, b, a_label, b_label). Reads `selected`: scores of the
-- window, all columns. $by: observation, trace or session; the last score of a name on a subject counts.
-- a, b: numbers, on 0-1 where *_normalised; *_place: on 0-1; *_label: what it says as text. $*_source NULL: any source.
with placed as (
    select
        s.project_id, s.name, s.data_type, s.source, s.value, s.value_normalised, s.string_value, s.scored_at, s.score_id,
        case $by
            when 'observation' then s.trace_id || ' ' || s.observation_id
            when 'trace' then s.trace_id
            else coalesce(s.session_id, t.session_id)
        end as subject
    from selected as s
    left join marts.traces as t on t.project_id = s.project_id and t.trace_id = s.trace_id
),

one as (
    select
        project_id, subject,
        arg_max(if($a_normalised, value_normalised, value), (scored_at, score_id)) as number,
        arg_max(value_normalised, (scored_at, score_id)) as place,
        arg_max(string_value, (scored_at, score_id)) as label
    from placed
    where name = $a and data_type = $a_type and ($a_source is null or source = $a_source) and subject is not null
    group by project_id, subject
),

other as (
    select
        project_id, subject,
        arg_max(if($b_normalised, value_normalised, value), (scored_at, score_id)) as number,
        arg_max(value_normalised, (scored_at, score_id)) as place,
        arg_max(string_value, (scored_at, score_id)) as label
    from placed
    where name = $b and data_type = $b_type and ($b_source is null or source = $b_source) and subject is not null
    group by project_id, subject
)

select
    one.number as a, other.number as b, one.place as a_place, other.place as b_place,
    one.label as a_label, other.label as b_label, count(*) as n
from one
join other using (project_id, subject)
group by all
order by n desc, a, b, a_label, b_label
