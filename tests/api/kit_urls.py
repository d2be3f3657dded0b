"""A small API of its own, by which the kit is tested without any domain."""

from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.http import Http404
from django.urls import path
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.response import Response
from rest_framework.views import APIView

from equipoise.accounts.models import Institute
from equipoise.api.etags import etag_of, not_modified, require_match
from equipoise.api.idempotency import idempotent
from equipoise.api.views import ApiListView, ApiView
from equipoise.common.errors import StateConflictError
from equipoise.common.permissions import Permission


class PublicView(ApiView):
    required_permission = Permission.PUBLIC

    def get(self, request):
        return Response({"hello": "anybody"})


class SelfView(ApiView):
    required_permission = {"GET": Permission.SELF, "POST": Permission.SITE_MANAGE}

    def get(self, request):
        return Response({"id": str(self.actor.id)})

    def post(self, request):
        return Response({"managed": True})


class TrialView(ApiView):
    """A view of a trial whose author forgot to override authorize."""

    required_permission = Permission.TRIAL_VIEW

    def get(self, request, trial_id=None):
        return Response({"leaked": True})


class UndeclaredView(ApiView):
    def get(self, request):
        return Response({"leaked": True})


class PlainView(APIView):
    def get(self, request):
        return Response({"leaked": True})


class InnerSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()


class OuterSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=3)
    rows = InnerSerializer(many=True)

    def validate(self, attrs):
        if attrs["title"] == "bad":
            raise serializers.ValidationError("The title and the rows do not fit.")
        return attrs


ERRORS = {
    "domain": StateConflictError("It is locked.", data={"state": "locked", "allowed": ["open"]}),
    "absent": Http404(),
    "denied": PermissionDenied(),
    "big": RequestDataTooBig(),
    "django": ValidationError({"name": ["Too short."]}),
    "throttled": Throttled(wait=7),
}


class ErrorView(ApiView):
    required_permission = Permission.PUBLIC

    def get(self, request, name):
        if name == "ours":
            raise ZeroDivisionError("a secret detail")
        raise ERRORS[name]

    def post(self, request, name):
        OuterSerializer(data=request.data).is_valid(raise_exception=True)
        return Response({})


class InstituteSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()


class InstitutesView(ApiListView):
    required_permission = Permission.SELF
    serializer_class = InstituteSerializer
    queryset = Institute.objects.all()

    @idempotent
    def post(self, request):
        institute = Institute.objects.create(name=request.data["name"], slug=request.data["name"])
        if request.data.get("fail"):
            raise StateConflictError("No.")
        return Response({"id": institute.pk, "name": institute.name}, status=201, headers={"Location": "/x"})


class VersionedView(ApiView):
    required_permission = Permission.PUBLIC
    version = 1

    def get(self, request):
        etag = etag_of("thing", self.version)
        return not_modified(request, etag) or Response({"version": self.version}, headers={"ETag": etag})

    def put(self, request):
        require_match(request, etag_of("thing", self.version))
        return Response({"edited": True})


urlpatterns = [
    path("public", PublicView.as_view()),
    path("self", SelfView.as_view()),
    path("trial", TrialView.as_view()),
    path("trials/<uuid:trial_id>", TrialView.as_view()),
    path("undeclared", UndeclaredView.as_view()),
    path("plain", PlainView.as_view()),
    path("errors/<str:name>", ErrorView.as_view()),
    path("institutes", InstitutesView.as_view()),
    path("versioned", VersionedView.as_view()),
]
handler400 = "equipoise.api.errors.bad_request"
handler404 = "equipoise.api.errors.page_not_found"
handler500 = "equipoise.api.errors.server_error"
