-- Single scores to read. Grain: score. Reads `selected`: scores of the window, all columns. Times UTC.
-- $score NULL: of all names. $search: text that the comment, or the text of a TEXT or CORRECTION score, must contain,
-- whatever the case; NULL for all, also those that say nothing. $order: worst (place on the scale), best or newest.
with told as (
    select
        s.*, coalesce(s.session_id, t.session_id) as conversation, t.name as trace_name, t.user_id,
        case
            when s.data_type in ('TEXT', 'CORRECTION') then s.string_value
            when s.data_type = 'BOOLEAN' then if(s.value > 0, 'yes', 'no')
            else coalesce(s.string_value, format('{:.4g}', s.value))
        end as said,
        coalesce(nullif(s.comment, ''), case when s.data_type in ('TEXT', 'CORRECTION') then s.string_value end) as words
    from selected as s
    left join marts.traces as t on t.project_id = s.project_id and t.trace_id = s.trace_id
)

select
    scored_at, name, if(data_type in ('TEXT', 'CORRECTION'), null, said) as value, left(words, 600) as comment,
    source, trace_name, user_id, conversation as session_id, trace_id, project_id, score_id,
    count(*) over () as total
from told
where ($score is null or name = $score)
    and ($search is null or contains(lower(words), lower($search)))
    and ($order = 'newest' or value_normalised is not null)
order by
    case $order when 'worst' then value_normalised when 'best' then -value_normalised end nulls last,
    scored_at desc, score_id
limit $limit
