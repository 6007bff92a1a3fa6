-- How many sessions were escalated. One row. Reads `selected`.
select count(*) filter (outcome = 'escalated') as escalated, count(*) as sessions from selected
