"""A provider for OpenFeature: `pip install gateline[openfeature]`.

```py
from openfeature import api
from gateline.openfeature import GatelineProvider

api.set_provider(GatelineProvider("https://gateline.example", key))
```
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, FeatureProvider, Metadata

from gateline.client import Gateline
from gateline.options import Options
from gateline.types import Details, DetailsError

T = TypeVar("T")
_Object = Sequence[FlagValueType] | Mapping[str, FlagValueType]
_Emit = Callable[[FeatureProvider, ProviderEvent, ProviderEventDetails], None]

_TARGETING_KEY = "targetingKey"
_UNIT = "user_id"
_ERRORS: Mapping[DetailsError, ErrorCode] = {
    "flag_not_found": ErrorCode.FLAG_NOT_FOUND,
    "type_mismatch": ErrorCode.TYPE_MISMATCH,
    "not_ready": ErrorCode.PROVIDER_NOT_READY,
    "internal": ErrorCode.GENERAL,
}
#: OpenFeature's reasons; what ours say more stands in the metadata.
_REASONS = {"unit_missing": Reason.DEFAULT, "prerequisite_failed": Reason.DISABLED}


class GatelineProvider(AbstractProvider):
    """Answers OpenFeature's questions with Gateline; an exposure is told of what comes from a split."""

    def __init__(self, url: str | Gateline, key: str = "", options: Options | None = None) -> None:
        """Takes a client, which stays open at shutdown, or the address and key for one of its own."""
        super().__init__()
        self._is_own = not isinstance(url, Gateline)
        self._client = url if isinstance(url, Gateline) else Gateline(url, key, options)
        #: Whether it was found ready or not; nothing yet while it begins.
        self._is_ready: bool | None = None
        self._emit: _Emit | None = None
        self._unlisten = self._client.on_change(self._changed)

    def get_metadata(self) -> Metadata:
        return Metadata(name="gateline")

    def attach(self, on_emit: _Emit) -> None:
        self._emit = on_emit

    def detach(self) -> None:
        self._emit = None

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        self._is_ready = self._client.ready(_context(evaluation_context))
        if not self._is_ready:
            raise ProviderNotReadyError("Gateline has not answered, and nothing was kept.")

    def shutdown(self) -> None:
        self._unlisten()
        if self._is_own:
            self._client.close()
        else:
            self._client.flush()

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        return self._resolve(flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return self._resolve(flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        # JSON does not tell 10 from 10.0.
        found = self._resolve(flag_key, float(default_value), evaluation_context)
        if not float(found.value).is_integer():
            return _failed(default_value, flag_key, "type_mismatch")
        return _with(found, default_value if found.error_code else int(found.value))

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        found = self._resolve(flag_key, default_value, evaluation_context)
        return _with(found, float(found.value))

    def resolve_object_details(
        self, flag_key: str, default_value: _Object, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[_Object]:
        return self._resolve(flag_key, default_value, evaluation_context)

    async def resolve_boolean_details_async(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        return await _aside(self.resolve_boolean_details, flag_key, default_value, evaluation_context)

    async def resolve_string_details_async(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return await _aside(self.resolve_string_details, flag_key, default_value, evaluation_context)

    async def resolve_integer_details_async(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return await _aside(self.resolve_integer_details, flag_key, default_value, evaluation_context)

    async def resolve_float_details_async(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        return await _aside(self.resolve_float_details, flag_key, default_value, evaluation_context)

    async def resolve_object_details_async(
        self, flag_key: str, default_value: _Object, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[_Object]:
        return await _aside(self.resolve_object_details, flag_key, default_value, evaluation_context)

    def _resolve(self, key: str, default: T, context: EvaluationContext | None) -> FlagResolutionDetails[T]:
        details = self._client.details(key, default, _context(context))
        if details.error is not None:
            return _failed(default, key, details.error)
        return FlagResolutionDetails(
            value=details.value,
            variant=details.variant,
            reason=_REASONS.get(details.reason, details.reason.upper()),
            flag_metadata=_metadata(details),
        )

    def _changed(self, keys: Sequence[str]) -> None:
        emit = self._emit
        if emit is None or self._is_ready is None:
            return
        if not self._is_ready:
            # What did not answer in time has answered now.
            self._is_ready = True
            emit(self, ProviderEvent.PROVIDER_READY, ProviderEventDetails())
        emit(self, ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, ProviderEventDetails(flags_changed=list(keys)))


async def _aside(resolve: Callable[..., T], *arguments: Any) -> T:
    """Asks in a thread: the server may have to be waited for, and others of the loop are not to wait."""
    return await asyncio.to_thread(resolve, *arguments)


def _context(context: EvaluationContext | None) -> dict[str, Any]:
    """Reads a context as OFREP does: the targeting key is ``user_id`` as well, unless that is there too."""
    if context is None:
        return {}
    found: dict[str, Any] = dict(context.attributes)
    if context.targeting_key is not None:
        found.setdefault(_TARGETING_KEY, context.targeting_key)
        found.setdefault(_UNIT, context.targeting_key)
    return found


def _failed(default: T, key: str, error: DetailsError) -> FlagResolutionDetails[T]:
    return FlagResolutionDetails(
        value=default, reason=Reason.ERROR, error_code=_ERRORS[error], error_message=f"{key}: {error}"
    )


def _with(found: FlagResolutionDetails[Any], value: T) -> FlagResolutionDetails[T]:
    """Says the same of another value."""
    return FlagResolutionDetails(
        value=value,
        error_code=found.error_code,
        error_message=found.error_message,
        reason=found.reason,
        variant=found.variant,
        flag_metadata=found.flag_metadata,
    )


def _metadata(details: Details[Any]) -> dict[str, bool | int | float | str]:
    said = {
        "flagVersion": details.flag_version,
        "rule": details.rule,
        "assignmentId": details.assignment_id,
        "reason": details.reason if details.reason in _REASONS else None,
    }
    return {name: value for name, value in said.items() if value is not None}
