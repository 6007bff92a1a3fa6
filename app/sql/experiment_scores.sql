-- Scores that were given to traces or sessions of an experiment. Grain: (name, data_type); most given first.
-- Reads `exposed`. levels are distinct numbers.
select s.name, s.data_type, count(*) as scores, count(distinct s.value) as levels
from marts.scores as s
semi join exposed as u on u.project_id = s.project_id and u.trace_id = s.trace_id
where s.name is not null and s.data_type in ('NUMERIC', 'BOOLEAN', 'CATEGORICAL')
group by s.name, s.data_type
order by scores desc, s.name
limit 20
