"""The ways in that doors ask for, and the keys that are in force: read before they are needed, and
again at each reload."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from gatewayd.config.problem import ConfigError, Place, Problem
from gatewayd.config.schema import Config, Door, Kerberos, Login, Tls
from gatewayd.credentials import located
from gatewayd.errors import SHORTAGES, GatewayError
from gatewayd.log import Happening, note
from gatewayd.net.arrival import Arrival, MakeStep, Step
from gatewayd.net.doorkeeper import Doorkeeper
from gatewayd.service.aside import aside
from gatewayd.value import Value, replace

if TYPE_CHECKING:
    from gatewayd.kerberos.tickets import Tickets
    from gatewayd.login.judge import PasswordJudge
    from gatewayd.login.users import Secret
    from gatewayd.tls.identity import Identity

READING_S: Final = 20.0
"""How long the files may take: they may be on a network's disk."""
_PASSING: Final = SHORTAGES | {errno.EAGAIN}
"""What is no fault of the configuration; it is worth another try."""

T = TypeVar("T")


class Keys(Value):
    """What the files hold that a configuration names."""

    identity: Identity | None = None
    users: Mapping[str, Secret] | None = None
    kerberos: Kerberos = Kerberos()
    """Its keytab as a path."""


class Doors:
    """Nothing of TLS is in memory while the configuration names no keys, nor of logging in while it
    names no users, nor of Kerberos while it has none."""

    def __init__(self) -> None:
        self._keys = Keys()
        self._judge: PasswordJudge | None = None
        self._tickets: Tickets | None = None
        self._told = ""

    @property
    def keys(self) -> Keys:
        """Those in force."""
        return self._keys

    def way(self, door: Door) -> Sequence[MakeStep]:
        """The steps that a client passes at a door."""
        way: list[MakeStep] = []
        if door.tls is not Tls.NONE:
            way.append(partial(self._secured, door))
        if door.login is not Login.NONE:
            way += [partial(self._asked, door), partial(self._logged_in, door)]
        if door.users:
            way.append(partial(_let_in, door))
        return way

    def _secured(self, door: Door, arrival: Arrival) -> Step:
        from gatewayd.tls.securing import Securing
        from gatewayd.tls.starting import Starting

        identity = self._keys.identity
        assert identity is not None, "a configuration with TLS has keys"
        if door.tls is Tls.IMPLICIT:
            return Securing(arrival, identity, door.client_certificate)
        must = door.tls is Tls.STARTTLS
        return Starting(arrival, identity, door.client_certificate, must=must)

    def _asked(self, door: Door, arrival: Arrival) -> Step:
        from gatewayd.login.asking import Asking

        tickets = self._tickets if self._keys.kerberos else None
        return Asking(arrival, tickets, optional=door.login is Login.OFFERED)

    def _logged_in(self, door: Door, arrival: Arrival) -> Step:
        from gatewayd.login.step import LoggingIn

        judge = self._judge if self._keys.users is not None else None
        return LoggingIn(arrival, judge, optional=door.login is Login.OFFERED)

    async def read(self, config: Config, path: str) -> Keys:
        """The keys and the users that a configuration names, which is in the file `path`.

        Raises ConfigError for what cannot be used, GatewayError for what cannot be read now.
        """
        identity = users = None
        if config.tls:
            from gatewayd.tls.identity import load

            identity = await _read(f"{path}: tls", partial(load, config.tls))
        if config.users:
            from gatewayd.login.users import read_users

            users = await _read(f"{path}: users", lambda: read_users(located(config.users)))
        kerberos = config.kerberos
        if kerberos:
            kerberos = await _read(f"{path}: kerberos", partial(_looked_at, kerberos))
        return Keys(identity, users, kerberos)

    @contextlib.contextmanager
    def trying(self, keys: Keys) -> Iterator[None]:
        """Use other keys for the connections to come; the former ones again when it fails."""
        former = self._keys
        self._use(
            Keys(
                keys.identity or former.identity,
                keys.users or former.users,
                keys.kerberos or former.kerberos,
            )
        )
        try:
            yield
        except BaseException:
            self._use(former)
            raise
        # What there is none of any more, nobody needs who comes in now.
        self._use(keys)
        self._tell(keys.identity)

    def _use(self, keys: Keys) -> None:
        self._keys = keys
        if keys.users is not None:
            self._use_users(keys.users)
        if keys.kerberos:
            self._use_kerberos(keys.kerberos)

    def _use_users(self, users: Mapping[str, Secret]) -> None:
        if self._judge is None:
            from gatewayd.login.judge import PasswordJudge

            self._judge = PasswordJudge(users, aside)
        self._judge.users = users

    def _use_kerberos(self, kerberos: Kerberos) -> None:
        from gatewayd.kerberos.tickets import Tickets

        # Those that are being judged are so by what was in force when they came.
        self._tickets = Tickets(kerberos.keytab, dict(kerberos.principals), aside)

    def _tell(self, identity: Identity | None) -> None:
        fingerprint = identity.fingerprint if identity else ""
        if identity and (wrong := identity.validity()):
            note(Happening.KEYS_CHANGED, "%s", wrong, level=logging.WARNING)
        if fingerprint and fingerprint != self._told:
            note(Happening.KEYS_CHANGED, "the certificate in force is %s", fingerprint)
        self._told = fingerprint


async def _read(where: str, read: Callable[[], T]) -> T:
    def work() -> T:
        try:
            return read()
        except GatewayError as error:
            if isinstance(error.__context__, OSError) and error.__context__.errno in _PASSING:
                raise
            raise ConfigError([Problem(Place(where), str(error))]) from None

    try:
        return await aside(work, READING_S)
    except ConfigError:
        raise
    except GatewayError as error:
        raise GatewayError(f"{where}: {error}") from None


def _looked_at(kerberos: Kerberos) -> Kerberos:
    from gatewayd.kerberos.tickets import look_at

    kerberos = replace(kerberos, keytab=located(kerberos.keytab))
    look_at(kerberos.keytab)
    return kerberos


def _let_in(door: Door, arrival: Arrival) -> Step:
    return Doorkeeper(arrival, door)
