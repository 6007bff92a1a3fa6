-- Soft-deletes what has been missing long enough.
update raw.scores set deleted_at = $now, run_id = $run_id
where (project_id, score_id) in (
    select (project_id, row_id) from still_missing where entity = 'scores' and missed_at <= $until
)
