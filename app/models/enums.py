"""The values that columns with a fixed set of values hold."""

from enum import StrEnum


class VersionKind(StrEnum):
    """What an encoder version is: the base model, a head on top of vectors, or tuned whole."""

    RAW = "raw"
    HEAD = "head"
    DEEP = "deep"


class RunStatus(StrEnum):
    """How far a training run is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RunStage(StrEnum):
    """The steps of a training run, in their order."""

    COLLECT = "collect"
    TUNE = "tune"
    EVALUATE = "evaluate"
    REINDEX = "reindex"
    ACTIVATE = "activate"


class ImportStatus(StrEnum):
    """How far an import is; uploaded: nobody has chosen its mapping yet."""

    UPLOADED = "uploaded"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Verdict(StrEnum):
    """What one annotation says; none: "none of these", not_similar: to the session's seed."""

    LABEL = "label"
    NONE = "none"
    SKIP = "skip"
    NOT_SIMILAR = "not_similar"


class AnnotationSource(StrEnum):
    """How an annotation came: by hand, one by one or a page at once, with a file, by a rule."""

    SINGLE = "single"
    PAGE = "page"
    IMPORT = "import"
    RULE = "rule"


class Role(StrEnum):
    """What a user may do."""

    ADMIN = "admin"
    REVIEWER = "reviewer"
    ANNOTATOR = "annotator"


LABELING_VERDICTS = (Verdict.LABEL, Verdict.NONE)
"""Verdicts that say what a record is."""
MANUAL_SOURCES = (AnnotationSource.SINGLE, AnnotationSource.PAGE)
"""Sources of annotations that a person made by hand."""
AUTOMATIC_SOURCES = (AnnotationSource.IMPORT, AnnotationSource.RULE)
"""Sources of annotations that nobody made one by one."""
RESUMABLE_IMPORTS = (
    ImportStatus.UPLOADED,
    ImportStatus.QUEUED,
    ImportStatus.RUNNING,
    ImportStatus.FAILED,
)
"""Imports that can still begin or go on: they read their file again."""
