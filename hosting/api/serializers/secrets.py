"""Secrets of a model: what they are called, never what they hold."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from hosting.api.serializers.choices import NamedChoiceField
from hosting.models import ModelSecret
from hosting.models.secret import SecretKind
from hosting.secrets import MOST_CHARACTERS


class ModelSecretSerializer(serializers.ModelSerializer[ModelSecret]):
    """A secret without its value, which nobody is shown again."""

    changed_by = serializers.EmailField(source="changed_by.email", allow_null=True, read_only=True)

    class Meta:
        model = ModelSecret
        fields = ["name", "kind", "changed_at", "changed_by"]
        read_only_fields = fields


@extend_schema_serializer(component_name="NewSecret")
class NewSecretSerializer(serializers.Serializer[Any]):
    """What a secret holds from now on."""

    value = serializers.CharField(
        write_only=True, trim_whitespace=False, max_length=MOST_CHARACTERS
    )
    kind = NamedChoiceField(
        choices=SecretKind.choices,
        default=SecretKind.FILE,
        help_text=(
            "`file`: in the folder the variable DORMOUSE_SECRETS names, in memory, readable by the "
            "model alone. `variable`: an environment variable, which whoever may use the container "
            "engine can see, too."
        ),
    )
