"""The shipped template as text and as protocol."""

from importlib.resources import files

import pytest

from trials.domain.protocol.document import check_text
from trials.domain.protocol.v1 import ProtocolV1


@pytest.fixture(scope="session")
def template_text() -> str:
    """Return the text of the preference template."""
    return (files("trials") / "templates" / "contour-preference.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def template(template_text: str) -> ProtocolV1:
    """Return the preference template's protocol."""
    protocol = check_text(template_text).protocol
    assert protocol is not None
    return protocol
