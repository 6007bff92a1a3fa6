-- How many sessions were escalated. One row. Reads `selected`.
select count_if(outcome = 'escalated')::bigint as escalated, count(*) as sessions from selected
