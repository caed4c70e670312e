"""Buying credits: by hand, and through Stripe as a stub of its HTTP API answers."""

import hashlib
import hmac
import json
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from hosting.billing import credits, plans, providers, purchases
from hosting.billing.models import CreditEntry, Purchase
from hosting.billing.providers.base import PaymentUnavailable
from hosting.billing.providers.stripe import from_minor, to_minor
from hosting.errors import InvalidValue
from hosting.models import Standing
from tests.factories import make_member, make_model

pytestmark = pytest.mark.django_db
D = Decimal
SECRET = "whsec_only_for_tests"


class StripeStub:
    """What of Stripe's API is used: it makes Checkout sessions, once per idempotency key."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.sessions: dict[str, str] = {}  # by idempotency key
        self.failing = 0  # answer this many times with 500 first
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, said = stub.answer(self.path, body, self.headers)
                data = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, path, body, headers) -> tuple[int, dict[str, object]]:
        if self.failing:
            self.failing -= 1
            return 500, {"error": {"type": "api_error", "message": "Try later."}}
        if headers["Authorization"] != "Bearer sk_test_1":
            return 401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key"}}
        assert path == "/v1/checkout/sessions"
        self.asked.append({name: values[0] for name, values in parse_qs(body).items()})
        key = headers["Idempotency-Key"]
        session = self.sessions.setdefault(key, f"cs_test_{len(self.sessions) + 1}")
        url = f"https://checkout.stripe.com/c/pay/{session}"
        return 200, {"id": session, "object": "checkout.session", "url": url}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def owner(routes):
    return make_member()


@pytest.fixture
def stripe(settings) -> Iterator[StripeStub]:
    stub = StripeStub()
    settings.PAYMENTS = "stripe"
    settings.STRIPE_KEY = "sk_test_1"
    settings.STRIPE_WEBHOOK_SECRET = SECRET
    settings.STRIPE_API = stub.url
    yield stub
    stub.close()


def buy(owner, amount: str = "25.00") -> Purchase:
    return purchases.begin(
        owner.team,
        amount=D(amount),
        by=owner.user,
        back_url="https://dormouse.example/billing/credits/",
        now=timezone.now(),
    )


def notify(
    client, purchase, kind="checkout.session.completed", *, secret=SECRET, at=None, **changes
):
    """Send what Stripe would send, signed."""
    session = {
        "id": purchase.reference,
        "object": "checkout.session",
        "payment_status": "paid",
        "amount_total": 2500,
        "currency": "usd",
    } | changes
    body = json.dumps({"id": "evt_1", "object": "event", "type": kind, "data": {"object": session}})
    moment = int(at or time.time())
    signature = hmac.new(secret.encode(), f"{moment}.{body}".encode(), hashlib.sha256).hexdigest()
    return client.post(
        reverse("payment-notice"),
        body,
        content_type="application/json",
        headers={"Stripe-Signature": f"t={moment},v1={signature}"},
    )


def test_a_card_payment_begins_at_stripe_and_adds_nothing_yet(owner, stripe):
    purchase = buy(owner)

    assert purchase.pay_url == "https://checkout.stripe.com/c/pay/cs_test_1"
    (asked,) = stripe.asked
    assert asked["mode"] == "payment"
    assert asked["line_items[0][price_data][unit_amount]"] == "2500"
    assert asked["line_items[0][price_data][currency]"] == "usd"
    assert asked["client_reference_id"] == str(purchase.key)
    assert asked["customer_email"] == owner.user.email
    assert credits.balance(owner.team) == 0


def test_a_notice_that_comes_again_and_again_adds_credits_once(client, owner, stripe):
    purchase = buy(owner)

    answers = [notify(client, purchase).json() for _ in range(3)]
    late = notify(client, purchase, "checkout.session.async_payment_succeeded").json()

    assert answers == [{"added": True}, {"added": False}, {"added": False}]
    assert late == {"added": False}
    assert credits.balance(owner.team) == D("25.00")
    assert Purchase.objects.get().status == "paid"


@pytest.mark.parametrize(
    "forged", [{"secret": "whsec_guessed"}, {"at": time.time() - 3600}], ids=["secret", "replayed"]
)
def test_a_notice_that_is_not_stripe_s_is_refused(client, owner, stripe, forged):
    answer = notify(client, buy(owner), **forged)

    assert answer.status_code == 400
    assert answer.json()["code"] == "notice_refused"
    assert credits.balance(owner.team) == 0


def test_an_unsigned_notice_is_refused(client, owner, stripe):
    answer = client.post(reverse("payment-notice"), "{}", content_type="application/json")

    assert answer.status_code == 400


def test_another_amount_than_was_asked_for_is_not_taken(client, owner, stripe):
    answer = notify(client, buy(owner), amount_total=100)

    assert answer.status_code == 400
    assert "1 USD were paid" in answer.json()["detail"]
    assert credits.balance(owner.team) == 0


def test_a_payment_that_takes_days_counts_when_it_arrives(client, owner, stripe):
    purchase = buy(owner)

    assert notify(client, purchase, payment_status="unpaid").json() == {"added": False}
    assert credits.balance(owner.team) == 0
    notify(client, purchase, "checkout.session.async_payment_succeeded")
    assert credits.balance(owner.team) == D("25.00")


def test_a_page_that_was_left_is_not_waited_for(client, owner, stripe):
    purchase = buy(owner)

    notify(client, purchase, "checkout.session.expired", payment_status="unpaid")

    assert Purchase.objects.get().status == "failed"
    assert notify(client, purchase).json() == {"added": True}  # whoever paid after all, has paid


def test_a_notice_of_something_else_is_let_pass(client, owner, stripe):
    assert notify(client, Purchase(reference="cs_of_a_shop")).json() == {"added": False}
    assert notify(client, buy(owner), "invoice.paid").json() == {"added": False}


def test_stripe_failing_for_a_moment_is_asked_again_with_the_same_key(owner, stripe):
    stripe.failing = 1

    assert buy(owner).reference == "cs_test_1"
    assert len(stripe.sessions) == 1


def test_stripe_away_leaves_nothing_behind_and_says_so(owner, stripe, settings):
    settings.STRIPE_KEY = "sk_wrong"

    with pytest.raises(PaymentUnavailable, match="Stripe can't take the payment"):
        buy(owner)

    assert not Purchase.objects.exists()


def test_without_the_package_it_is_said_what_to_install(owner, stripe, monkeypatch):
    monkeypatch.setitem(sys.modules, "stripe", None)

    with pytest.raises(PaymentUnavailable, match=r"dormouse\[stripe\]"):
        buy(owner)


def test_the_package_is_not_loaded_before_somebody_pays():
    import subprocess

    code = "import django; django.setup(); import sys, hosting.billing.purchases"
    code += "; from hosting.billing import providers; providers.chosen()"
    code += "; sys.exit('stripe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_by_hand_a_reference_is_given_and_an_operator_confirms_it(owner):
    purchase = buy(owner)

    assert purchase.reference.startswith("DM-")
    assert not purchase.pay_url
    for _ in range(2):
        purchases.confirm(purchase.reference, now=timezone.now())
    assert credits.balance(owner.team) == D("25.00")
    assert CreditEntry.objects.count() == 1


def test_without_a_provider_notices_are_refused(client, db):
    assert client.post(reverse("payment-notice"), "{}", content_type="x/y").status_code == 400


def test_a_stopped_team_answers_again_once_it_paid(client, owner, stripe):
    model = make_model(owner.team).model
    plans.set_profile(owner.team, prepaid=True, stop_at_zero=True)
    from hosting.billing import budgets

    budgets.renew(owner.team, now=timezone.now())
    assert Standing.objects.get(team=owner.team).payment_required

    notify(client, buy(owner))

    model.refresh_from_db()
    assert not model.payment_required
    assert not Standing.objects.get(team=owner.team).payment_required


@pytest.mark.parametrize("amount", ["0", "4.99", "-5", "10000.01", "5.001"])
def test_a_strange_amount_is_refused(owner, amount):
    with pytest.raises(InvalidValue):
        buy(owner, amount)


def test_currencies_without_cents_have_none():
    assert (to_minor(D("25.00"), "USD"), to_minor(D("2500.00"), "JPY")) == (2500, 2500)
    assert (from_minor(2500, "USD"), from_minor(2500, "JPY")) == (D("25"), D("2500"))


@pytest.mark.django_db(transaction=True)
def test_five_notices_at_once_add_credits_once(settings, routes):
    owner = make_member()
    purchase = buy(owner)

    def confirm(_: int) -> None:
        try:
            purchases.confirm(purchase.reference, now=timezone.now())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(5) as operators:
        list(operators.map(confirm, range(5)))

    assert credits.balance(owner.team) == D("25.00")


def test_the_page_begins_a_purchase_and_lists_it(client, owner, settings):
    settings.PAYMENT_INSTRUCTIONS = "Bank of Hazel, account 4711"
    client.force_login(owner.user)

    client.post(reverse("buy-credits"), {"amount": "50.00"})
    said = client.get(reverse("credits")).content.decode()

    assert Purchase.objects.get().reference in said
    assert "$50.00" in said
    assert "Bank of Hazel" in said


def test_the_page_leads_to_the_provider(client, owner, stripe):
    client.force_login(owner.user)

    answer = client.post(reverse("buy-credits"), {"amount": "25"})

    assert answer.status_code == 302
    assert answer["Location"] == "https://checkout.stripe.com/c/pay/cs_test_1"


def test_the_page_says_what_was_wrong(client, owner):
    client.force_login(owner.user)

    said = client.post(reverse("buy-credits"), {"amount": "1"}).content.decode()

    assert "Choose an amount from 5.00 to 10,000.00" in said


def test_the_page_sets_how_a_team_pays(client, owner):
    client.force_login(owner.user)
    said = {"prepaid": "yes", "stop_at_zero": "yes", "billed_to": "Northlight", "email": ""}

    client.post(reverse("save-paying"), said)

    profile = plans.profile_of(owner.team)
    assert (profile.prepaid, profile.stop_at_zero, profile.billed_to) == (True, True, "Northlight")


def test_a_viewer_can_look_and_not_buy(client, owner):
    client.force_login(make_member(team=owner.team, role="viewer").user)

    assert client.get(reverse("credits")).status_code == 200
    assert client.post(reverse("buy-credits"), {"amount": "25"}).status_code == 403
    assert providers.chosen().name == "manual"
