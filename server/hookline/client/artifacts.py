"""An artifact of a job, from storage, as exactly the bytes that the database names."""

from __future__ import annotations

from collections.abc import Sequence

from hookline.client.errors import UnknownArtifact
from hookline.client.stored_objects import read_object
from hookline.postgres.views import Artifact
from hookline.storage.objects import Storage

__all__ = ["read_artifact"]


async def read_artifact(
    storage: Storage, artifacts: Sequence[Artifact], kind: str, name: str
) -> bytes:
    """The bytes of the artifact of this kind and name; of the only one, without a name.

    Raises UnknownArtifact, DamagedContent, StorageError.
    """
    of_kind = [one for one in artifacts if one.kind == kind]
    found = [one for one in of_kind if one.name == name] or (of_kind if not name else [])
    if len(found) != 1:
        have = of_kind or artifacts
        names = ", ".join(one.label for one in have[:20])
        raise UnknownArtifact(
            f"The job has no single artifact {kind}{'/' if name else ''}{name}."
            f" It has {names or 'none'}."
        )
    [one] = found
    return await read_object(storage, one.path, one.sha256, one.job_id)
