-- Sessions that were abandoned at a step, and the turn of it: their last. Grain: (project_id, session_id). Reads `selected`.
select project_id, session_id, turns as turn from selected where outcome = 'abandoned' and last_step = $step
