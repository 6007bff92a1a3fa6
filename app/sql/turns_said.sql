-- The turns that the filters pick, in the order of the conversation. Grain: one row per trace. Reads `selected`: traces.
select turn_index, trace_id
from selected
order by turn_index, trace_id
