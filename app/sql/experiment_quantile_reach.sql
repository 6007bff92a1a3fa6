-- The quantile function of each arm at $probabilities. Grain: arm. Reads `measured`: (project_id, cluster, arm, v).
select arm, quantile_cont(v, $probabilities::double[]) as looked_up
from measured
group by arm
order by arm
