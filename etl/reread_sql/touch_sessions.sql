-- What has to be modelled again: sessions of scores that are gone.
insert into touched_sessions
select distinct project_id, session_id
from raw.scores
where run_id = $run_id and deleted_at is not null and session_id is not null
