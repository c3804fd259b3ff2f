"""Codecs that misbehave on purpose; a plugin for worker processes.

Each acts when it is given the picture whose pixels are all `TRIGGER`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from glassplate.codecs import CodecSpec, Encoded, Pixels, Region, Target, register
from glassplate.codecs.base import Device
from glassplate.codecs.errors import EncodeError
from tests.fakes import FakeCodec

TRIGGER = 77


class MischiefCodec(FakeCodec):
    """do: what to do at the trigger. path: to what. seconds: wait for every picture."""

    class Config(FakeCodec.Config):
        do: str = "nothing"
        path: str = ""
        seconds: float = 0

    def __init__(
        self, config: Config, device: Device = "auto", weights: Path | None = None
    ) -> None:
        super().__init__(config, device, weights)
        self.mischief = config
        self.spec = CodecSpec("mischief", params=config.model_dump())

    def encode(self, images: Sequence[Pixels], target: Target) -> list[Encoded]:
        for image in images:
            time.sleep(self.mischief.seconds)
            if (image == TRIGGER).all():
                getattr(self, f"_{self.mischief.do}")(Path(self.mischief.path))
        return super().encode(images, target)

    def decode(self, bitstreams: Sequence[bytes], region: Region | None = None) -> list[Pixels]:
        images = super().decode(bitstreams, region)
        if self.mischief.do == "transpose":
            return [image.swapaxes(0, 1) for image in images]
        if self.mischief.do == "blend":
            return [np.dstack([image[..., :-1], image[..., -1] // 2]) for image in images]
        return images

    def _nothing(self, path: Path) -> None:
        pass

    _transpose = _nothing
    _blend = _nothing

    def _raise(self, path: Path) -> None:
        raise ZeroDivisionError("mischief")

    def _give_up(self, path: Path) -> None:
        raise EncodeError("mischief")

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def _change(self, path: Path) -> None:
        with Image.open(path) as image:
            taller = image.resize((image.width, image.height + 1))
        taller.save(path)

    def _die(self, path: Path) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


register("mischief", "mischief:MischiefCodec")
