-- grain: one row per rule that cleans names of steps; place is its order
-- key: place
-- name: what a step that fits is called; NULL: it is left out
-- source: [flow] of tracehouse.toml
select unnest($patterns::varchar[]) as pattern, unnest($names::varchar[]) as name, generate_subscripts($names::varchar[], 1) as place
