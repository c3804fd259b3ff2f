"""What a service is told at its start; checked once."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from glassplate.codecs.base import Device

TILE = 512
"""Side in pixels of the tiles that are advertised, and of the blocks that decoders keep."""


class ServeConfig(BaseModel):
    """How an archive is served.

    base_url: What the URLs in documents begin with; None: what the request was sent to.
    snapshot: Number of the one to serve; None: the newest, looked for every `reload` seconds.
    refine: The refiner behind the quality `refined`; None: there is none.
    max_area: Pixels of the largest picture that is sent. max_pixels: Of the largest decoded.
    workers: Decoding processes. worker_memory: Bytes that each may take.
    cache: Bytes: a quarter for finished answers, the rest for what decoders keep.
    waiting: Requests that may wait for a decoder; the next is refused with 503.
    timeout: Seconds that a request may take, and a client to take a part of its answer.
    connections: Open at a time; beyond them new ones are closed.
    rights: URL of the licence or rights statement of the pictures.
    token: What clients have to say; None: nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    archive: str
    host: str = "127.0.0.1"
    port: int = Field(default=8182, ge=0, le=65535)
    base_url: str | None = Field(default=None, pattern=r"^https?://[^\s?#]+$")
    snapshot: int | None = Field(default=None, ge=1)
    reload: float = Field(default=10, gt=0)
    refine: Literal["flow"] | None = "flow"
    max_area: int = Field(default=100_000_000, ge=1)
    max_pixels: int = Field(default=200_000_000, ge=1)
    workers: int = Field(ge=1, le=256)
    worker_memory: int = Field(ge=1 << 28)
    cache: int = Field(ge=0)
    waiting: int = Field(default=256, ge=1)
    timeout: float = Field(default=60, gt=0)
    connections: int = Field(default=500, ge=1)
    rights: str | None = Field(default=None, pattern=r"^https?://\S+$")
    token: str | None = Field(default=None, min_length=1)
    device: Device = "auto"
