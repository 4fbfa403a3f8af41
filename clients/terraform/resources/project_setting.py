"""Settings that each project always has: create sets the value, delete resets it."""

from typing import TYPE_CHECKING

from andromede_sdk.errors import ApiError, Unreachable
from clients.terraform.cloud import Document, project_path, translated_errors
from clients.terraform.resources.base import CloudResource
from clients.terraform.runtime.diagnostics import Failure
from clients.terraform.runtime.provider import Private, Work
from clients.terraform.runtime.schema import IdentityAttribute
from clients.terraform.runtime.values import Value, Values

if TYPE_CHECKING:
    from clients.terraform.api import Answer


class ProjectSetting(CloudResource):
    """A setting of a project. `kind`: its path below the project; `noun` is its name for people.

    `setting` is its only attribute, which is replaced as a whole, and only if it is unchanged since it was read.
    """

    kind: str
    noun: str
    setting: str
    identity = {"project": IdentityAttribute("The project.")}

    def path(self, values: Values) -> str:
        return project_path(self.parent_of(values), self.kind)

    def create(self, work: Work) -> None:
        with translated_errors(self.schema.attributes):
            answer = self.cloud.api.read(self.path(work.planned), deadline=work.deadline)
            if self._is_as_planned(answer, work):
                self._record(answer, work)
                return
            if answer.document[self.setting]:
                project = self.parent_of(work.planned)
                text = f"Import it first: terraform import ADDRESS {project}"
                raise Failure(f"The project has {self.noun} already", text)
            self.put(work, version=answer.etag)

    def update(self, work: Work) -> None:
        with translated_errors(self.schema.attributes):
            if work.changed(self.setting):
                self.put(work, version=work.private.get("etag") or "*")

    def put(self, work: Work, *, version: str) -> None:
        try:
            answer = self._put(work, version=version)
        except Unreachable:  # it is unknown whether the request arrived: read the current value
            answer = self.cloud.api.read(self.path(work.planned), deadline=work.deadline)
            if not self._is_as_planned(answer, work):
                answer = self._put(work, version=version)
        self.check(answer.document)
        self._record(answer, work)

    def _is_as_planned(self, answer: "Answer", work: Work) -> bool:
        """Return whether the project already has the planned value: an earlier destroyed state may have left it."""
        value: Value = self.values(answer.document, work.planned)[self.setting]
        return bool(value == work.planned[self.setting])

    def _record(self, answer: "Answer", work: Work) -> None:
        work.private["etag"] = answer.etag
        work.save({"project": self.parent_of(work.planned), **self.values(answer.document, work.planned)})

    def _put(self, work: Work, *, version: str) -> "Answer":
        path, body = self.path(work.planned), self.body(work.planned)
        return self.cloud.api.put(path, body, version=version, deadline=work.deadline)

    def body(self, values: Values) -> Document:
        raise NotImplementedError

    def check(self, answer: Document) -> None:
        """Check that the answer has the setting; raises Failure otherwise."""

    def values(self, document: Document, like: Values) -> Values:
        raise NotImplementedError

    def read(self, state: Values, private: Private, deadline: float) -> Values | None:
        with translated_errors(self.schema.attributes):
            try:
                answer = self.cloud.api.read(self.path(state), deadline=deadline)
            except ApiError as problem:
                if self.is_gone(problem):
                    return None
                raise
        private["etag"] = answer.etag
        if not answer.document[self.setting]:
            return None
        return {"project": self.parent_of(state), **self.values(answer.document, state)}

    def import_by_id(self, text: str) -> Values:
        return {"project": text}

    def import_by_identity(self, identity: Values) -> Values:
        return {"project": identity["project"]}
