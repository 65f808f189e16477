"""Annotated questions for evaluation, never for training: one file a format, each gives the same rows."""

from tevo.data.readers.annotations import Annotations as Annotations
from tevo.data.readers.annotations import read_annotations as read_annotations
