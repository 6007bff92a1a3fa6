"""Every failure that tracehouse can explain to a person, in one tree.

    TracehouseError
    ├── ConfigError            a setting, a variable or an argument is wrong           exit 2
    ├── NotFound               the id that was asked for is not in the warehouse       exit 1
    ├── ApiError               the server answered, but not with what was asked        exit 1
    │   ├── AuthError          the keys were refused                                   exit 77
    │   ├── Unreachable        no answer: DNS, connection, TLS, time-out               exit 1
    │   ├── RateLimited        refused for the budget, and waiting did not help        exit 1
    │   ├── ReplyTooLarge      422/524/oversized: ask for less at a time               exit 1
    │   └── MalformedResponse  a body that is not what the API promises                exit 1
    ├── WarehouseError         the warehouse can't be read or written                  exit 1
    │   ├── WarehouseMissing   nothing has been synced yet                             exit 1
    │   ├── Locked             another run holds the lock                              exit 75
    │   └── SchemaMismatch     written by a newer tracehouse                           exit 1
    ├── ChannelFailed          a notice or a report could not be sent                  exit 1
    ├── CheckFailed            the data broke a declared rule                          exit 3
    └── Interrupted            SIGINT or SIGTERM ended the run; nothing is lost        exit 130, 143

Each error says in one line what happened and with which value, and carries a ``hint``: the next step. Only the
command line turns them into text and an exit code; only ``app.ui`` turns them into a box on a page.
"""

from __future__ import annotations


class TracehouseError(Exception):
    """Something a person can act on: ``message`` says what happened, ``hint`` what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """The message and the hint on one line, whatever line breaks a server put into its text."""
        stop = "" if self.message.endswith((".", "!", "?")) else "."
        text = f"{self.message}{stop} {self.hint}" if self.hint else self.message
        return " ".join(text.split())


class ConfigError(TracehouseError):
    """A setting, a variable or an argument is missing or wrong."""

    exit_code = 2


class NotFound(TracehouseError):
    """The id that was asked for is not in the warehouse."""


class ApiError(TracehouseError):
    """The server's reply is final and is not what was asked for.

    Attributes:
        status: HTTP status, or None when there was no reply.
        url: the path asked for, never with credentials.
    """

    def __init__(self, message: str, *, hint: str = "", status: int | None = None, url: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.url = url


class AuthError(ApiError):
    """The server refused the keys."""

    exit_code = 77


class Unreachable(ApiError):
    """No reply at all, after every retry."""


class RateLimited(ApiError):
    """The server kept refusing for its rate limit."""


class ReplyTooLarge(ApiError):
    """The server can't answer this much at once: halve the slice or the page."""


class MalformedResponse(ApiError):
    """The reply's body is not what the API promises."""


class WarehouseError(TracehouseError):
    """The warehouse can't be read or written."""


class WarehouseMissing(WarehouseError):
    """Nothing has been synced into this warehouse yet."""


class Locked(WarehouseError):
    """Another run holds the lock."""

    exit_code = 75


class SchemaMismatch(WarehouseError):
    """The warehouse was written by a newer tracehouse."""


class ChannelFailed(TracehouseError):
    """A channel did not take a message. The text holds no address: addresses are secrets.

    Attributes:
        is_final: the same message to the same channel will fail again, until somebody changes something.
        retry_after: seconds that the receiver asked to wait, if it did.
        may_have_arrived: the time was over before an answer came, so sending again may be a duplicate.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        is_final: bool = False,
        retry_after: float | None = None,
        may_have_arrived: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.is_final = is_final
        self.retry_after = retry_after
        self.may_have_arrived = may_have_arrived


class CheckFailed(TracehouseError):
    """The data broke a rule that the models declare."""

    exit_code = 3


class Interrupted(TracehouseError):
    """A signal ended the run after the page in flight; what was landed is kept."""

    def __init__(self, message: str, *, hint: str = "", signal_number: int) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = 128 + signal_number
