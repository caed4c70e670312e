"""Logins to image registries: for whom and where, never with what."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from hosting.models import RegistryLogin
from hosting.registries import MOST_PASSWORD, MOST_USERNAME


class RegistryLoginSerializer(serializers.ModelSerializer[RegistryLogin]):
    """A login without its password, which nobody is shown again."""

    class Meta:
        model = RegistryLogin
        fields = ["host", "username", "changed_at"]
        read_only_fields = fields


@extend_schema_serializer(component_name="NewRegistryLogin")
class NewRegistryLoginSerializer(serializers.Serializer[Any]):
    """Who images of this host are pulled as."""

    username = serializers.CharField(max_length=MOST_USERNAME)
    password = serializers.CharField(
        write_only=True,
        trim_whitespace=False,
        max_length=MOST_PASSWORD,
        help_text="Or an access token, as most registries want it from programs.",
    )
