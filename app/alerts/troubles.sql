-- One row for each channel that failed: what it still owes, and what was given up since a moment; worst first.
with open_or_lost as (
    select
        channel,
        status,
        made_at,
        next_at,
        error,
        row_number() over (partition by channel order by begun_at desc, notice_id) as place
    from alert_deliveries
    join alert_notices on id = notice_id
    where (status in ('waiting', 'sending') and error is not null) or (status = 'given_up' and ended_at >= ?)
)

select
    channel,
    max(case when place = 1 then error end) as error,
    sum(status <> 'given_up') as waiting,
    sum(status = 'given_up') as given_up,
    min(made_at) as since,
    min(case when status <> 'given_up' then next_at end) as next_at
from open_or_lost
group by channel
order by given_up desc, waiting desc, channel
