"""Receive an upload as a form's file or as the plain body."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Annotated, BinaryIO

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from app.errors import Invalid, translate_disk_error
from app.exchange.imports.uploads import clean_file_name
from app.projects.access import AdminProject
from app.storage import data_subdir


@dataclass(frozen=True)
class Upload:
    """A received file; `name` is the client's file name."""

    name: str
    file: BinaryIO


async def receive_upload(request: Request, project: AdminProject) -> AsyncIterator[Upload]:
    """Return the file that an admin sends: the form's `file`, or the body, named by ?file_name=.

    (A dependency, and async, for only so can a body be written while it arrives; the route itself
    is plain. How much may arrive is app.main's matter, as with every body.)
    """
    if request.headers.get("Content-Type", "").startswith("multipart/form-data"):
        async with request.form(max_files=1, max_fields=20) as form:
            sent = form.get("file")
            if not isinstance(sent, UploadFile) or not sent.filename:
                raise Invalid("Choose a file to import.")
            yield Upload(clean_file_name(sent.filename), sent.file)
        return
    with TemporaryFile(dir=data_subdir("imports")) as kept:
        try:
            async for block in request.stream():
                kept.write(block)
            kept.seek(0)
        except OSError as error:
            raise translate_disk_error(error) from error
        named = request.query_params.get("file_name", "") or "upload"
        yield Upload(clean_file_name(named), kept)


IncomingUpload = Annotated[Upload, Depends(receive_upload)]
