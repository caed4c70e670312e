"""How the list of models can be narrowed."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from hosting.api.serializers.hosted_models import STATE_CHOICES
from hosting.models import HostedModel

TRUE_OR_FALSE = (("true", "true"), ("false", "false"))


def _is_true(value: str) -> bool:
    return value == "true"


@extend_schema_field(OpenApiTypes.BOOL)
class TrueOrFalseFilter(django_filters.TypedChoiceFilter):  # type: ignore[misc]
    """true or false. Django's own boolean filter takes any nonsense and then filters nothing."""

    def __init__(self, **more: Any) -> None:
        super().__init__(choices=TRUE_OR_FALSE, coerce=_is_true, **more)


class HostedModelFilter(filters.FilterSet):  # type: ignore[misc]
    """By state, by switch, and by a part of the name or the description."""

    state = django_filters.ChoiceFilter(
        choices=STATE_CHOICES,
        error_messages={
            "invalid_choice": f"“%(value)s” is none of {', '.join(dict(STATE_CHOICES))}."
        },
    )
    public = TrueOrFalseFilter(help_text="Whether it needs no token.")
    active = TrueOrFalseFilter(help_text="Whether it is switched on.")
    search = django_filters.CharFilter(
        method="search_text", max_length=100, help_text="A part of the name or the description."
    )

    class Meta:
        model = HostedModel
        fields: list[str] = []

    def search_text(
        self, models: QuerySet[HostedModel], name: str, value: str
    ) -> QuerySet[HostedModel]:
        """Search without regard to case."""
        return models.filter(subdomain__icontains=value) | models.filter(
            description__icontains=value
        )
