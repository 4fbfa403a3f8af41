"""Files in forms. Django parses a form before any view runs, to look for its CSRF token, and would write files in it to
the disk for anybody. So no form may have files, but where a view says so after it has looked who asks."""

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError

FORM_MAX_BYTES = 64 * 1024  # what a form with a file has besides the file


class NoFiles(FileUploadHandler):
    """Refuses files, and forms that are larger than forms without files may be: with a 400."""

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: Any = None
    ) -> None:
        """Before anything is read."""
        if content_length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise MultiPartParserError("The form is too large.")

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise MultiPartParserError("This form takes no files.")


class OneFile(TemporaryFileUploadHandler):
    """Takes one file of at most IMAGE_MAX_BYTES."""

    has_one = False

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: Any = None
    ) -> None:
        if content_length > settings.IMAGE_MAX_BYTES + FORM_MAX_BYTES:
            raise MultiPartParserError("The file is too large.")

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        if self.has_one:
            raise MultiPartParserError("There is more than one file.")
        self.has_one = True
        super().new_file(*args, **kwargs)


def allow_one_file(request: HttpRequest) -> None:
    """Let the form have a file, from now on. To be called before anybody has looked into the form."""
    request.upload_handlers = [OneFile(request)]
