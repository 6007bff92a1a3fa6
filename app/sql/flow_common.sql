-- What conversations hold and how many of them were resolved. Grain: (kind, value); kind is step, tool, model or topic.
-- Reads `selected`: sessions with all their columns. Only sessions with a known outcome count.
-- exposed: sessions with the value; hit: those of them that were resolved; all_exposed, all_hit: of all sessions.
with known as (
    select project_id, session_id, outcome = 'resolved' as is_hit, path, models, topic_id
    from selected
    where outcome in ('resolved', 'escalated', 'abandoned')
),

tools as (
    select distinct o.project_id, o.session_id, o.tool_name
    from marts.observations as o
    semi join known using (project_id, session_id)
    where o.type = 'TOOL' and o.tool_name is not null and o.start_time >= $start
),

spread as (
    select 'step' as kind, unnest(list_distinct(list_transform(path, lambda leg: regexp_replace(leg, ' x\d+$', '')))) as value, is_hit
    from known
    union all
    select 'model', unnest(list_distinct(models)), is_hit from known
    union all
    select 'topic', coalesce(t.label, k.topic_id), k.is_hit
    from known as k
    left join (select topic_id, any_value(label) as label from marts.topics group by topic_id) as t using (topic_id)
    where k.topic_id is not null
    union all
    select 'tool', t.tool_name, k.is_hit
    from tools as t
    inner join known as k using (project_id, session_id)
)

select
    kind, value,
    count_if(is_hit)::bigint as hit,
    count(*) as exposed,
    (select count_if(is_hit)::bigint from known) as all_hit,
    (select count(*) from known) as all_exposed
from spread
where value is not null
group by kind, value
having count(*) >= $least
order by exposed desc, kind, value
limit $limit
