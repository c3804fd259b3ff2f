"""The process that gives pictures back: what it needs takes long to import."""

from __future__ import annotations

import json
import os

import torch

from glassplate.pipelines.archive.read.reader import open_archive
from glassplate.pipelines.errors import StorageError
from glassplate.pipelines.jobs.child_process import Answer
from glassplate.pipelines.retrieve.planning import Item, RetrieveConfig
from glassplate.pipelines.retrieve.shard import retrieve_item


def greeted(greeting: str) -> Answer:
    """The child: answers items with their rows, or with what went wrong elsewhere.

    It reads the archive as the plan saw it, with its share of the cores.
    """
    told = json.loads(greeting)
    config = RetrieveConfig.model_validate(told["config"])
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // config.workers))
    archive = open_archive(
        config.archive, told["snapshot"], config.device, max_pixels=config.max_pixels
    )

    def answer(request: str) -> str:
        item = Item.model_validate_json(request)
        try:
            return retrieve_item(item, archive, config).model_dump_json()
        except StorageError as error:
            return json.dumps(str(error))

    return answer
