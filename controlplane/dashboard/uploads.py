"""Files in forms. Django parses a form before any view runs, to look for its CSRF token, and would write files to
disk for unauthenticated users. Forms may therefore have no files, unless a view allows one after authentication."""

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError

FORM_MAX_BYTES = 64 * 1024  # fields of a form besides its file


class NoFiles(FileUploadHandler):
    """Reject files and oversized forms with 400."""

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: Any = None
    ) -> None:
        """Reject the form before its body is read."""
        if content_length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise MultiPartParserError("The form is too large.")

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise MultiPartParserError("This form takes no files.")


class OneFile(TemporaryFileUploadHandler):
    """Accept one file of at most IMAGE_MAX_BYTES."""

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
    """Allow one file in the form. Call this before the form is parsed."""
    request.upload_handlers = [OneFile(request)]
