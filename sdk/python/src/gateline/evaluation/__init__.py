"""Evaluates flags in the own process: a port of the server's engine, held to it by the vectors in `spec/eval`.

Pure: no I/O, no clock and no random source; what is not known of a subject is said by whoever asks, the moment included.
Start with `compile_definitions` and `Flags`.
"""

from gateline.evaluation.compiling import compile_definitions
from gateline.evaluation.flags import Evaluation, Flags
from gateline.evaluation.problems import Problem
from gateline.evaluation.subject import Subject
from gateline.evaluation.texts import Value

__all__ = ["Evaluation", "Flags", "Problem", "Subject", "Value", "compile_definitions"]
