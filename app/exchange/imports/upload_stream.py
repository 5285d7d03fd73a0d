"""An upload on its way in, as a form's file or as the plain body, counted before it is parsed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Annotated, BinaryIO

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.types import Message

from app.errors import Invalid, translate_disk_error
from app.exchange.imports.uploads import TooLarge, clean_file_name
from app.projects.access import AdminProject
from app.settings import settings
from app.storage import data_subdir

# What a multipart body may add to the file itself.
_FRAME_BYTES = 64 * 1024


@dataclass(frozen=True)
class Upload:
    """A file that has arrived; `name` is what its sender calls it."""

    name: str
    file: BinaryIO


async def receive_upload(request: Request, project: AdminProject) -> AsyncIterator[Upload]:
    """The file that an admin sends: the form's `file`, or the body, named by ?file_name=.

    Raises TooLarge before, or as soon as, it is. (A dependency, and async, for only so can a body
    be counted while it arrives; the route itself is plain.)
    """
    most = settings().max_upload_mb * 1024**2 + _FRAME_BYTES
    if int(request.headers.get("Content-Length", "0")) > most:
        raise TooLarge
    counted = Request(request.scope, _SizeLimit(request, most).receive)
    if request.headers.get("Content-Type", "").startswith("multipart/form-data"):
        async with counted.form(max_files=1, max_fields=20) as form:
            sent = form.get("file")
            if not isinstance(sent, UploadFile) or not sent.filename:
                raise Invalid("Choose a file to import.")
            yield Upload(clean_file_name(sent.filename), sent.file)
        return
    with TemporaryFile(dir=data_subdir("imports")) as kept:
        try:
            async for block in counted.stream():
                kept.write(block)
            kept.seek(0)
        except OSError as error:
            raise translate_disk_error(error) from error
        named = request.query_params.get("file_name", "") or "upload"
        yield Upload(clean_file_name(named), kept)


IncomingUpload = Annotated[Upload, Depends(receive_upload)]


class _SizeLimit:
    """The request's messages, until they hold more bytes than allowed."""

    def __init__(self, request: Request, most: int) -> None:
        self._receive = request.receive
        self._left = most

    async def receive(self) -> Message:
        """The next message. Raises TooLarge."""
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise TooLarge
        return message
