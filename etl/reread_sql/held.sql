-- grain: one row per hour (or day) in which the warehouse holds rows of an entity
with held as (
    select start_time as started
    from raw.observations
    where project_id = $project_id and start_time >= $start and start_time < $end
        and $entity in ('observations', 'traces') and (family = 'modern' or is_synthetic = ($entity = 'traces'))
    union all
    select scored_at
    from raw.scores
    where project_id = $project_id and scored_at >= $start and scored_at < $end and $entity = 'scores'
)

select date_trunc($grain, started) as began, count(*) from held group by began order by began
