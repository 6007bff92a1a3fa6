"""What a site that has no rule or channel of its own can copy into its configuration."""

from __future__ import annotations

RULE = """\
[[alert]]
name = "errors per agent"
metric = "error_rate"         # any metric of `tracehouse query`
by = "tag:agent_id:*"         # each agent fires by itself
window = "1d"                 # 15m, 6h, 7d, "today", "100 traces"
warn = 0.10
alert = 0.15
min_n = 50                    # fewer traces than this say nothing
channels = ["on-call"]        # without it: every channel

[[alert]]
name = "daily cost"           # replaces the one that comes along
metric = "cost_usd"
window = "today"
alert = 25.0
"""
CHANNEL = """\
[[channel]]
name = "on-call"
url_env = "ON_CALL_URL"       # https://... is a webhook
secret_env = "ON_CALL_SECRET" # signs it (HMAC); optional

[[channel]]
name = "team"
url_env = "TEAM_URL"          # slack://, discord://, mailto://, ...
"""
