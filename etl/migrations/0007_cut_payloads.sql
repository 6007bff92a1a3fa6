-- One row per project: how many stored observations have an input or output that was cut to [sync] max_payload_kb.
create table meta.cut_payloads (project_id varchar not null, observation_count bigint not null);
insert into meta.cut_payloads
select project_id, count(*)
from raw.observations
where regexp_matches(right(input, 40), '\[cut from \d+ characters\]$')
    or regexp_matches(right(output, 40), '\[cut from \d+ characters\]$')
group by project_id;
