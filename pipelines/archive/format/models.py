"""models/<fingerprint>/: the spec of every codec used, and its weights.

    codec.json            CodecSpec.to_json(); its sha256 is the folder's name
    weights.safetensors   for codecs that have weights; its sha256 is in the spec

With these an archive is decoded with nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from glassplate.codecs import CodecSpec
from glassplate.codecs.errors import WeightsError
from glassplate.pipelines.archive.format.manifest import FileEntry
from glassplate.pipelines.errors import ArchiveError
from glassplate.pipelines.storage.store import Store

_RESTORE = "Restore it from a copy."


def write_models(
    store: Store,
    known: Sequence[FileEntry],
    codecs: Mapping[str, str],
    specs: Sequence[CodecSpec],
    weights: Mapping[str, Path],
) -> tuple[FileEntry, ...]:
    """Write spec and weights of every codec that is not in the archive yet.

    Args:
        known: What the archive has.
        codecs: Fingerprint -> name of every codec in the snapshot.
        specs: Specs of the codecs of this run.
        weights: Fingerprint -> weight file, for the codecs of this run that have one.

    Raises ArchiveError if a spec is not at hand, WeightsError if a weight file has changed.
    """
    models = {file.path: file for file in known}
    by_fingerprint = {spec.fingerprint: spec for spec in specs}
    for fingerprint, name in sorted(codecs.items()):
        path = _spec_path(fingerprint)
        if path in models:
            continue
        if fingerprint not in by_fingerprint:
            raise ArchiveError(f"the spec of codec {name!r} is not at hand", subject=fingerprint)
        spec = by_fingerprint[fingerprint]
        models[path] = _write(store, path, spec.to_json().encode())
        if spec.weights_sha256:
            file = _write(store, _weights_path(fingerprint), weights[fingerprint].read_bytes())
            if file.sha256 != spec.weights_sha256:
                raise WeightsError(
                    f"has other bytes than were encoded with ({spec.weights_sha256})",
                    "Do not replace weights during a run.",
                    str(weights[fingerprint]),
                )
            models[file.path] = file
    return tuple(models[path] for path in sorted(models))


def read_spec(store: Store, fingerprint: str) -> CodecSpec:
    """A codec's spec, checked against its name. Raises ArchiveError."""
    path = _spec_path(fingerprint)
    try:
        spec = CodecSpec.from_json(store.read(path))
    except FileNotFoundError as error:
        raise ArchiveError("is missing", _RESTORE, path) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise ArchiveError("is damaged", _RESTORE, path) from error
    if spec.fingerprint != fingerprint:
        raise ArchiveError("is damaged (wrong fingerprint)", _RESTORE, path)
    return spec


def fetch_weights(store: Store, spec: CodecSpec, folder: Path) -> Path | None:
    """A local copy of a codec's weights in `folder`, None for a codec without any.

    Raises WeightsError, naming the sha256 that is needed, if they are missing or damaged.
    """
    if spec.weights_sha256 is None:
        return None
    path = _weights_path(spec.fingerprint)
    try:
        data = store.read(path)
    except FileNotFoundError as error:
        raise WeightsError(f"is missing; sha256 {spec.weights_sha256}", _RESTORE, path) from error
    if hashlib.sha256(data).hexdigest() != spec.weights_sha256:
        raise WeightsError(f"is damaged; sha256 {spec.weights_sha256}", _RESTORE, path)
    copy = folder / f"{spec.weights_sha256}.safetensors"
    copy.write_bytes(data)
    return copy


def _write(store: Store, path: str, data: bytes) -> FileEntry:
    store.write(path, data)
    digest = hashlib.sha256(data).hexdigest()
    return FileEntry(path=path, rows=0, bytes=len(data), sha256=digest)


def _spec_path(fingerprint: str) -> str:
    return f"models/{fingerprint}/codec.json"


def _weights_path(fingerprint: str) -> str:
    return f"models/{fingerprint}/weights.safetensors"
