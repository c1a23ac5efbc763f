"""Fault: the body of every refusal, `{"error":{"code","message","field"?}}`."""

import msgspec


class FaultDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stable `code` for programs, a sentence for people, and the field's path where one is at fault."""

    code: str
    message: str
    field: str | None = None


class FaultBody(msgspec.Struct, frozen=True):
    """The whole body."""

    error: FaultDetail


class Invalid(ValueError):
    """A body that breaks the contract. The sender must not retry it."""

    def __init__(self, message: str, field: str | None = None, code: str = "invalid") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.code = code

    def body(self) -> FaultBody:
        """The refusal as it goes over the wire."""
        return FaultBody(FaultDetail(self.code, self.message, self.field))
