-- grain: one row per score whose scale the settings name
-- key: name
select unnest($names::varchar[]) as name, unnest($minimums::double[]) as minimum, unnest($maximums::double[]) as maximum
