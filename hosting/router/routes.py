"""The route table in memory. Reading it never waits; it is fed from outside (`table_feed.py`)."""

from collections.abc import Callable, Mapping, Set
from typing import Final

from hosting.router.endpoints import Endpoint
from hosting.wire import Route

PINNED: Final = "--r"  # stands in no subdomain, so a pinned address is never another model's
_MOST_DIGITS: Final = 9
_MOST_TOMBSTONES: Final = 10_000


class RouteTable:
    """Subdomain to endpoint, newest generation only."""

    def __init__(self, *, stale_after: float, clock: Callable[[], float]) -> None:
        self.complete = False  # whether all there is has been seen, and no change since was missed
        self.tended_at = float("-inf")  # when a worker was last known to take tasks
        self.read_at = float("-inf")  # all there was at this moment has been seen (monotonic)
        self.processes = 1  # router processes that share every rate limit
        self.on_released: Callable[[Endpoint], None] | None = None
        self._endpoints: dict[str, Endpoint] = {}
        self._astir: dict[Endpoint, None] = {}  # and some that came to rest since the last look
        self._removed: dict[str, tuple[int, int]] = {}
        self._heard_at = clock()
        self._stale_after = stale_after
        self._clock = clock

    def find(self, subdomain: str) -> Endpoint | None:
        """The endpoint of a subdomain, or of a revision by its pinned address."""
        return self._endpoints.get(subdomain) or self._find_pinned(subdomain)

    def _find_pinned(self, subdomain: str) -> Endpoint | None:
        name, _, number = subdomain.rpartition(PINNED)
        own = self._endpoints.get(name)
        if own is None or not number.isdigit() or number[0] == "0" or len(number) > _MOST_DIGITS:
            return None
        return self.at_revision(own, int(number))

    def surely_lacks(self, subdomain: str) -> bool:
        """Whether 404 is the truth for a subdomain that was not found."""
        return self.complete or subdomain in self._removed

    def at_revision(self, own: Endpoint, number: int) -> Endpoint | None:
        """The endpoint of one revision of a model; None when there is no such revision."""
        if number == own.route.revision:
            return own
        found = own.beside.get(number)
        if found is None:
            route = own.route.at(number)
            if route is None:
                return None
            found = own.beside[number] = Endpoint(route, now=self._clock())
            found.own = own
            found.paces = own.paces
            found.on_released = self._released
            self.stir(found)
        return found

    def astir(self) -> list[Endpoint]:
        """The endpoints where anything goes on: most models sleep, and nobody walks over those."""
        for each in [each for each in self._astir if each.at_rest or each.gone]:
            del self._astir[each]
        return list(self._astir)

    def stir(self, endpoint: Endpoint) -> None:
        """Something may go on there from here on."""
        if not endpoint.at_rest:
            self._astir[endpoint] = None

    def __contains__(self, subdomain: str) -> bool:
        return subdomain in self._endpoints

    def __len__(self) -> int:
        return len(self._endpoints)

    def generations(self) -> dict[int, int]:
        """What we know: of each model, by its id, the generation of its route."""
        routes = [endpoint.route for endpoint in self._endpoints.values()]
        return {route.model_id: route.generation for route in routes}

    def heard(self) -> None:
        """The control plane told what it knows, or that nothing changed: we are current."""
        self._heard_at = self._clock()

    def stale(self, *, now: float) -> bool:
        """Whether what we know is too old to let anybody in by it."""
        return now - self._heard_at > self._stale_after

    def never_stale(self) -> None:
        """Nobody feeds this table: it is what it is."""
        self._stale_after = self.read_at = float("inf")

    def age(self, *, now: float) -> float:
        """How long ago the control plane told what it knows, in seconds."""
        return now - self._heard_at

    def apply(self, route: Route) -> None:
        """Take one route, unless we know a newer one."""
        subdomain = route.subdomain
        endpoint = self._endpoints.get(subdomain)
        known = endpoint.route.version if endpoint is not None else (-1, -1)
        if known > route.version or (known == route.version and not route.removed):
            return
        if route.removed:
            self._remove(subdomain, route.version)
        elif self._removed.get(subdomain, (-1, -1)) < route.version:
            self._put(subdomain, endpoint, route)

    def replace(self, routes: Mapping[str, Route]) -> None:
        """Take the whole table: what is not in it is gone."""
        for route in routes.values():
            self.apply(route)
        self.keep(routes.keys())

    def keep(self, subdomains: Set[str]) -> None:
        """These are all there are, and all of them were applied."""
        for subdomain in self._endpoints.keys() - subdomains:
            model_id, generation = self._endpoints[subdomain].route.version
            # Nobody said that it was removed: should the same come again, it is there after all.
            self._remove(subdomain, (model_id, generation - 1))
        self.complete = True

    def _put(self, subdomain: str, endpoint: Endpoint | None, route: Route) -> None:
        if endpoint is not None and endpoint.route.model_id != route.model_id:
            self._remove(subdomain, endpoint.route.version)
            endpoint = None
        if endpoint is None:
            endpoint = Endpoint(route, now=self._clock())
            endpoint.on_released = self._released
            self._endpoints[subdomain] = endpoint
            self.stir(endpoint)
        else:
            self._apply(endpoint, route)
        if route.beside or endpoint.beside:
            self._follow(endpoint)

    def _apply(self, endpoint: Endpoint, route: Route) -> None:
        endpoint.apply(route)
        self.stir(endpoint)
        if not endpoint.replicas and not endpoint.in_flight:
            self._released(endpoint)

    def _follow(self, own: Endpoint) -> None:
        """Bring the endpoints beside a model's own up to date with its route."""
        route = own.route
        for number, endpoint in own.beside.items():
            anew = route.at(number)
            if number == route.revision or anew is None:
                endpoint.hand_over(own)
            else:
                self._apply(endpoint, anew)
        own.canary, own.share = None, 0
        for target in route.beside:
            found = self.at_revision(own, target.revision)
            if target.share is not None and found is not own:
                own.canary, own.share = found, target.share

    def _remove(self, subdomain: str, version: tuple[int, int]) -> None:
        endpoint = self._endpoints.pop(subdomain, None)
        if len(self._removed) >= _MOST_TOMBSTONES:
            self._removed.clear()
        self._removed[subdomain] = version
        if endpoint is not None:
            for each in (*endpoint.beside.values(), endpoint):
                each.withdraw()

    def _released(self, endpoint: Endpoint) -> None:
        if self.on_released is not None:
            self.on_released(endpoint)
