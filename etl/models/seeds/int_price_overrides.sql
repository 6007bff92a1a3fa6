-- grain: one row per model with a configured price, by canonical and by written name
-- key: model
with written as (select unnest($models::varchar[]) as model)

select lower(model) as model from written
union
select canonical_model(model) from written
