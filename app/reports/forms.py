"""The forms that a report can have."""

from __future__ import annotations

from typing import Literal

from app.reports.data import Report

Form = Literal["html", "md", "json"]


def written(report: Report, form: Form) -> str:
    """The report in this form, ending in a line break."""
    # Imported here so that one form pays for nothing of the others.
    if form == "html":
        from app.reports.html import as_html  # noqa: PLC0415 - see above

        return as_html(report)
    if form == "md":
        from app.reports.markdown import as_markdown  # noqa: PLC0415 - see above

        return as_markdown(report)
    from app.reports.json_form import as_json  # noqa: PLC0415 - see above

    return f"{as_json(report)}\n"
