"""The API's schema and its readable form."""

from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from equipoise.api.views import ApiView
from equipoise.common.permissions import Permission


class SchemaView(ApiView, SpectacularAPIView):
    """The OpenAPI document."""

    required_permission = Permission.PUBLIC


class DocsView(ApiView, SpectacularSwaggerSplitView):
    """The document as a page, with its script apart so that no inline script is needed."""

    required_permission = Permission.PUBLIC
