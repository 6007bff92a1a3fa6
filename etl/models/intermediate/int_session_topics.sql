-- grain: one row per touched session and topic that it is about; 'other' where it is close to none
-- key: project_id, session_id, topic_id
-- closeness: cosine of the session's terms and the topic's, 0 to 1. A session is about the closest topic and those nearly
-- as close. Sums are of whole numbers: they depend on no order of rows.
-- Built in $parts parts of some thousand sessions, this one being $part: nearly each session is a little close to each topic.
-- source: int_session_terms, int_session_texts, meta.topic_centroids, meta.topic_labels
with used as (
    from int_session_terms where hash(project_id, session_id) % $parts = $part
),

lengths as (
    select project_id, session_id, sqrt(sum((idf * idf * 1e9)::bigint)::double / 1e9) as length
    from used
    group by all
),

sums as (
    select used.project_id, used.session_id, centroid.topic_id, sum((used.idf * centroid.weight * 1e9)::bigint)::double / 1e9 as product
    from used
    inner join meta.topic_centroids as centroid using (term)
    group by all
),

close as (
    select project_id, session_id, sums.topic_id, round(sums.product / lengths.length, 6) as closeness
    from sums
    inner join lengths using (project_id, session_id)
),

near as (
    select *
    from close
    where closeness >= 0.2
    qualify closeness >= 0.8 * max(closeness) over (partition by project_id, session_id)
),

placed as (
    select project_id, session_id, topic_id, closeness from near
    union all
    select project_id, session_id, 'other', 1.0
    from int_session_texts
    anti join near using (project_id, session_id)
    where exists (from meta.topic_labels) and hash(project_id, session_id) % $parts = $part
)

select
    project_id,
    session_id,
    topic_id,
    round(closeness / sum(closeness) over (partition by project_id, session_id order by topic_id
        rows between unbounded preceding and unbounded following), 6) as weight
from placed
