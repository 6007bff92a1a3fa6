"""The dashboards that come with tracehouse: examples to look at, to duplicate and to change."""

from __future__ import annotations

from etl.settings_dashboards import DashboardSettings
from etl.settings_dashboards import TileSettings as Tile

SHIPPED: tuple[DashboardSettings, ...] = (
    DashboardSettings(
        name="Agent performance",
        description="How fast agents answer, which tools they use, and how far they get.",
        tiles=(
            Tile("number", metrics=("traces",), width=1),
            Tile("number", metrics=("latency_p95_ms",), width=1),
            Tile("number", metrics=("success_rate",), width=1),
            Tile("number", metrics=("tool_calls",), width=1),
            Tile("time_series", "Latency over time", ("latency_p50_ms", "latency_p95_ms"), width=4),
            Tile("bar", "Most used tools", ("tool_calls",), ("tool_name",), width=2),
            Tile("funnel", "Planning to response", width=2),
            Tile(
                "table",
                "Agents side by side",
                ("traces", "latency_p50_ms", "latency_p95_ms", "success_rate", "cost_per_trace_usd"),
                ("tag:agent_id:*",),
                compare=False,
                width=4,
            ),
        ),
    ),
    DashboardSettings(
        name="Cost control",
        description="What is spent, on which models and features, and by whom.",
        tiles=(
            Tile("number", metrics=("cost_usd",), width=1),
            Tile("number", metrics=("cost_per_trace_usd",), width=1),
            Tile("number", metrics=("total_tokens",), width=1),
            Tile("number", metrics=("cache_hit_rate",), width=1),
            Tile("stacked_bar", "Cost by model over time", ("cost_usd",), ("model",), width=4),
            Tile("stacked_bar", "Where each model is used", ("cost_usd",), ("trace_name", "model"), width=2),
            Tile("bar", "Most expensive users", ("cost_usd",), ("user_id",), width=2),
            Tile("pivot", "Cost by feature and model", ("cost_usd",), ("trace_name", "model"), width=4),
        ),
    ),
    DashboardSettings(
        name="Conversations and quality",
        description="Who comes, how conversations end, and how satisfied people are.",
        tiles=(
            Tile("number", metrics=("sessions",), width=1),
            Tile("number", metrics=("users",), width=1),
            Tile("number", metrics=("resolved_rate",), width=1),
            Tile("number", metrics=("satisfaction_avg",), width=1),
            Tile("time_series", "How conversations end", ("resolved_rate", "escalation_rate", "abandon_rate"), width=2),
            Tile("heat_map", "Errors by release", ("error_rate",), ("release",), width=2),
            Tile(
                "table",
                "Topics",
                ("sessions", "resolved_rate", "escalation_rate", "satisfaction_avg", "cost_per_session_usd"),
                ("topic",),
                width=4,
            ),
        ),
    ),
)
