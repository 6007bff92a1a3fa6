-- Sets aside what can't be stored; the rest of its page goes on.
insert into rejected
select incoming.problem, records.record
from incoming join records using (read_rank)
where incoming.problem is not null;

delete from incoming where problem is not null;
