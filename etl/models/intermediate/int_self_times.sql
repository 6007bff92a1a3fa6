-- grain: one row per observation that ended and has children
-- key: span_key
-- Its own duration minus the time that at least one child covered, overlaps counted once and clipped to its own span.
-- units: milliseconds
-- source: int_spans, int_parents
with children as (
    select
        parents.parent_key,
        parent.start_time as parent_start,
        parent.end_time as parent_end,
        greatest(child.start_time, parent.start_time) as start_time,
        least(child.end_time, parent.end_time) as end_time
    from int_parents as parents
    inner join int_spans as parent on parent.span_key = parents.parent_key
    inner join int_spans as child on child.span_key = parents.span_key
    where parent.end_time >= parent.start_time
        and child.end_time > child.start_time
        and child.end_time > parent.start_time
        and child.start_time < parent.end_time
),

reached as (
    select
        *,
        max(end_time) over (
            partition by parent_key order by start_time, end_time
            rows between unbounded preceding and 1 preceding
        ) as covered_until
    from children
)

select
    parent_key as span_key,
    elapsed_ms(any_value(parent_start), any_value(parent_end))
        - sum(greatest(epoch_us(end_time) - epoch_us(greatest(start_time, coalesce(covered_until, start_time))), 0)) / 1000.0
        as self_time_ms
from reached
group by parent_key
