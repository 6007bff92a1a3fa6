"""Datasets, their items and runs over them, made of calls of a world's traffic."""

from __future__ import annotations

from dataclasses import replace

from etl.sandbox.records import Dataset, DatasetItem, Experiment, Observation, World

NAMES = ("support-regression", "docs-golden-set")
ITEMS = 120  # more than one page
HOUR_MS = 3_600_000


def with_evaluations(world: World) -> World:
    """The same world with two datasets, filled with its first calls that have an answer, and two runs over each."""
    calls = [one for one in world.observations if one.type == "GENERATION" and one.input and one.output]
    datasets, items, experiments = [], [], []
    for number, name in enumerate(NAMES):
        dataset = Dataset(f"dataset-{number}", name, f"Checked answers of {world.project_name}", world.start)
        chosen = calls[number :: len(NAMES)][:ITEMS]
        datasets.append(dataset)
        items += [_item(dataset, index, call) for index, call in enumerate(chosen)]
        for run in range(2):
            start = world.start + (run + 1) * 24 * HOUR_MS
            run_name = f"{name} run {run + 1}"
            experiments.append(
                Experiment(f"run-{number}-{run}", run_name, start, start + HOUR_MS, len(chosen), dataset.id)
            )
    return replace(world, datasets=datasets, dataset_items=items, experiments=experiments)


def _item(dataset: Dataset, index: int, call: Observation) -> DatasetItem:
    return DatasetItem(
        id=f"{dataset.id}-item-{index}",
        dataset_id=dataset.id,
        dataset_name=dataset.name,
        input=call.input,
        expected_output=call.output,
        created=call.created,
        source_trace_id=call.trace_id,
        source_observation_id=call.id,
    )
