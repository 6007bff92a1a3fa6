insert or replace into reconciled (
    project_id, day, server_count, warehouse_count, server_cost_usd, warehouse_cost_usd, matches, is_explained, reasons,
    compared_at, snapshot
) values (
    :project_id, :day, :server_count, :warehouse_count, :server_cost_usd, :warehouse_cost_usd, :matches, :is_explained,
    :reasons, :compared_at, :snapshot
)
