-- What broke first in each selected trace with an ERROR. Grain: (project_id, trace_id). Reads `selected`: traces.
select
    t.project_id, t.trace_id,
    to_json({'error_class': g.error_class, 'title': g.title, 'error_group_id': t.first_error_group_id}) as flaw
from selected as t
left join marts.error_groups as g
    on g.project_id = t.project_id and g.error_group_id = t.first_error_group_id
where t.is_error
