"""The pages for what went wrong, in our look."""

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import render
from django.template.loader import render_to_string

from accounts.models import Role
from dashboard.teams import Refused, membership_of
from hosting.api import request_ids

WRITERS = (Role.OWNER, Role.MEMBER)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400."""
    return render(request, "errors/400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403, saying who can."""
    membership = membership_of(request)
    roles = exception.roles if isinstance(exception, Refused) else WRITERS
    able = membership.team.memberships.filter(role__in=roles) if membership else None
    context = {
        "reason": str(exception),
        "able": able.select_related("user").order_by("pk")[:10] if able is not None else [],
    }
    return render(request, "errors/403.html", context, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404."""
    # Django's own reasons are for developers: a dict, or the path tried.
    reason = exception.args[0] if exception.args else ""
    context = {"reason": reason if isinstance(reason, str) else ""}
    return render(request, "errors/404.html", context, status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """500, without anything that could fail in turn: no database, no session."""
    context = {"request_id": request_ids.current()}
    return HttpResponseServerError(render_to_string("errors/500.html", context))


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form that is not, or no longer, ours."""
    return render(request, "errors/csrf.html", status=403)
