-- Sessions that were abandoned at a step. Grain: (project_id, session_id). Reads `selected`.
select project_id, session_id from selected where outcome = 'abandoned' and last_step = $step
