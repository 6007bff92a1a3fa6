-- Traces of the users in `usable` before the test began, for CUPED. Grain: (project_id, trace_id); columns as `usable`.
-- Reads the time from $before_start to $before_end, whatever the traces are about; arm is one for all.
select t.*, t.start_time::date as day, 'before' as arm, t.user_id as cluster
from marts.traces as t
semi join usable as u on u.project_id = t.project_id and u.cluster = t.user_id
where t.start_time >= $before_start and t.start_time < $before_end
    and (t.environment is null or not starts_with(t.environment, 'langfuse-'))
