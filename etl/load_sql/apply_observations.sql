-- Writes what was planned.
create or replace temp table changed as
select project_id, trace_id, observation_id, action
from incoming join planned using (read_rank)
where action <> 'unchanged';

insert into touched_traces select distinct project_id, trace_id from changed;

-- The running count of observations with a cut payload: those that come less those that are replaced.
create or replace temp table cut_change as
with came as (
    select project_id, input, output, 1 as n
    from incoming semi join (from planned where action in ('insert', 'replace')) using (read_rank)
),

went as (
    select project_id, input, output, -1 as n
    from raw.observations semi join (from changed where action = 'replace') using (project_id, trace_id, observation_id)
    where exists (from meta.cut_payloads)
)

select project_id, sum(n)::bigint as n
from (from came union all from went)
where regexp_matches(right(input, 40), '\[cut from \d+ characters\]$')
    or regexp_matches(right(output, 40), '\[cut from \d+ characters\]$')
group by project_id;

insert into meta.cut_payloads
select project_id, 0 from cut_change anti join meta.cut_payloads using (project_id);

update meta.cut_payloads set observation_count = observation_count + cut_change.n
from cut_change where cut_change.project_id = cut_payloads.project_id;

update raw.observations set deleted_at = null, run_id = (select run_id from this_load)
where (project_id, trace_id, observation_id) in (
    select (project_id, trace_id, observation_id) from changed where action = 'return'
);

delete from raw.observations
where (project_id, trace_id, observation_id) in (
    select (project_id, trace_id, observation_id) from changed where action = 'replace'
);

insert into raw.observations by name
select incoming.* exclude (read_rank, problem), (select run_id from this_load) as run_id
from incoming semi join (from planned where action in ('insert', 'replace')) using (read_rank);
