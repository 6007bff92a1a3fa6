-- grain: one row per kind of error
-- key: project_id, error_group_id
-- How many the last 24 hours before as_of struck, and how many the same hours of up to 4 earlier weeks make likely.
-- recent: sessions struck (traces where there is no session); expected_mean and expected_variance of the same; NULL while
-- there is no whole earlier week. The mean of k weeks is itself uncertain, and counts are clustered: the variance is
-- dispersion * mean * (1 + 1/k), where dispersion is Pearson's chi-squared of the last 28 days around the mean of their
-- weekday, per degree of freedom, at least 1, drawn towards 2 by as much as a week of days.
-- source: int_error_origins, int_settings
with ages as (
    select
        project_id,
        error_group_id,
        least(28, floor(epoch_us(any_value(as_of) - min(start_time)) / 86400e6)::bigint - 1) as days_known
    from int_error_origins
    cross join int_settings
    group by all
),

days as (
    select project_id, error_group_id, days_ago, count(distinct struck_id) as struck
    from int_error_origins
    where days_ago <= 28
    group by all
),

weekdays as (
    select
        days.project_id,
        days.error_group_id,
        days_ago % 7 as weekday,
        sum(struck)::double as struck,
        sum(struck * struck)::double as squares,
        -- of the days 1 to days_known those with this place in the week
        any_value((days_known - if(days_ago % 7 = 0, 7, days_ago % 7)) // 7 + 1) as weeks
    from days
    inner join ages using (project_id, error_group_id)
    where days_ago between 1 and days_known
    group by all
),

spread as (
    select
        project_id,
        error_group_id,
        exact_sum(if(weeks > 1, weeks * squares / struck - struck, null)) as chi_squared,
        sum(weeks - 1) filter (weeks > 1) as degrees,
        coalesce(sum(struck) filter (weekday = 0), 0) as same_hours
    from weekdays
    group by all
),

paced as (
    select
        project_id,
        error_group_id,
        coalesce(days.struck, 0) as recent,
        days_known // 7 as weeks,
        (coalesce(same_hours, 0) + 0.5) / nullif(greatest(days_known // 7, 0), 0) as expected_mean,
        greatest(1, (coalesce(chi_squared, 0) + 14) / (coalesce(degrees, 0) + 7)) as dispersion
    from ages
    left join spread using (project_id, error_group_id)
    left join (from days where days_ago = 0) as days using (project_id, error_group_id)
)

select *, dispersion * expected_mean * (1 + 1.0 / weeks) as expected_variance from paced
