-- grain: one row per generation or embedding that wraps another one, which carries the numbers itself
-- key: span_key
-- Walks up from every counted call to the rows above it, and on from each row that is no TOOL or AGENT (work of their
-- own below them is not the wrapper's call). Each row is reached once, so that a cycle of parents ends the walk.
-- source: int_spans, int_parents, int_tokens, int_reported_costs
with recursive calls as (
    select span_key, trace_key from int_spans where type in ('GENERATION', 'EMBEDDING')
),

-- almost every call is a leaf: only traces where one has children need the walk
suspects as (
    select distinct calls.trace_key
    from calls
    semi join int_parents as below on below.parent_key = calls.span_key
),

edges as (
    select parents.span_key, parents.parent_key, parent.type as parent_type
    from int_parents as parents
    semi join suspects using (trace_key)
    inner join int_spans as parent on parent.span_key = parents.parent_key
),

counted as (
    select calls.span_key, calls.trace_key
    from calls
    semi join suspects using (trace_key)
    left join int_tokens as tokens using (span_key)
    left join int_reported_costs as reported using (span_key)
    where tokens.input_tokens + tokens.output_tokens > 0 or reported.reported_cost_usd > 0
),

above (span_key, type) as (
    select edges.parent_key, edges.parent_type
    from edges
    semi join counted using (span_key)
    union
    select edges.parent_key, edges.parent_type
    from above
    inner join edges using (span_key)
    where above.type not in ('TOOL', 'AGENT')
),

leaves as (
    select distinct trace_key from counted anti join above using (span_key)
)

-- where parents go in a circle every call lies above another one: without a leaf nothing is a wrapper
select distinct calls.span_key
from calls
semi join above using (span_key)
semi join leaves using (trace_key)
