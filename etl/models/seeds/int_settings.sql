-- grain: one row: the definitions that models read, and the time at which time-dependent columns are evaluated
-- source: tracehouse.toml, meta.as_of
select
    $as_of::timestamp as as_of,
    $resolved_score::varchar as resolved_score,
    $satisfaction_score::varchar as satisfaction_score,
    $satisfied_from_of_5::double as satisfied_from_of_5,
    $satisfied_from_of_1::double as satisfied_from_of_1,
    $resolved_tag::varchar as resolved_tag,
    $escalation_pattern::varchar as escalation_pattern,
    $open_minutes::double as open_minutes,
    $step::varchar as step,
    $fold_repeats::boolean as fold_repeats
