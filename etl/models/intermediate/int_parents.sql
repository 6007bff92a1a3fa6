-- grain: one row per observation whose parent is in the warehouse, in the same trace
-- key: span_key
-- source: int_spans. A parent in another service, or one that never arrived, leaves no row.
select
    child.span_key,
    parent.span_key as parent_key,
    child.trace_key
from int_spans as child
inner join int_spans as parent
    on parent.trace_key = child.trace_key and parent.observation_id = child.parent_observation_id
