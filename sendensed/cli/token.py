"""Token: makes, shows, changes and ends the tokens in the hub's database, whether the hub runs or not.

What is secret goes to standard output, or to a new file, and nowhere else; the explanations to standard error.
"""

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path

import trio

from schemas.codec import rfc3339
from sendensed import daemon, errors
from sendensed.cli import credentials, welcome
from sendensed.cli.running import url_for_people
from sendensed.cli.serve import settings_of, state_dir_of
from sendensed.core import auth
from sendensed.core.auth import Token
from sendensed.environment import SystemEnvironment
from sendensed.errors import ConfigError, NotFound, SendensedError
from sendensed.store import StoreUnavailable
from sendensed.store.opening import open_beside
from sendensed.store.tokens import TokenRefused, Tokens


def run(options: argparse.Namespace) -> int:
    """Does one thing to the tokens; returns 0. Raises SendensedError."""
    daemon.set_up_logs("error")
    if options.action == "create" and (problem := auth.name_problem(options.name)):
        raise ConfigError(f"the name '{options.name}' {problem}")
    with errors.unwrapped():
        trio.run(_run, options)
    return 0


async def _run(options: argparse.Namespace) -> None:
    settings = settings_of(options)
    async with open_beside(settings, state_dir_of(settings)) as opened:
        try:
            await _ACTIONS[options.action](opened.tokens, options)
        except TokenRefused as error:
            raise SendensedError(str(error)) from None
        except StoreUnavailable as error:
            raise SendensedError(f"the database does not answer: {error}; try again") from None


async def _create(tokens: Tokens, options: argparse.Namespace) -> None:
    await _make(tokens, options.role, options.name, options.output)
    _say(f"a token with the role {options.role} for '{options.name}'; it is shown this once")


async def _rotate(tokens: Tokens, options: argparse.Namespace) -> None:
    old = await _newest(tokens, options.name)
    await _make(tokens, old.role, old.name, options.output)
    _say(f"a second token for '{old.name}'; it is shown this once. When it is in use, end the old one:")
    _say(f"  sendensed token revoke {old.id}")


async def _make(tokens: Tokens, role: auth.Role, name: str, output: str | None) -> None:
    random = SystemEnvironment().secret(auth.RANDOM_BYTES)
    token, text = auth.mint("token", role, name, await tokens.now(), random)
    await tokens.add(token)
    if output is None:
        print(text, flush=True)
        return
    try:
        credentials.keep(Path(output), text)
    except SendensedError:
        await tokens.revoke(token.id)
        raise


async def _revoke(tokens: Tokens, options: argparse.Namespace) -> None:
    ended = await tokens.revoke(options.key)
    if not ended:
        raise NotFound(f"no live token has the name or id '{options.key}': see sendensed token list")
    for token in ended:
        _say(f"revoked: {token.id}, {token.role}, '{token.name}'; every hub refuses it within 5 s")


async def _link(tokens: Tokens, options: argparse.Namespace) -> None:
    token = await _newest(tokens, options.name)
    if "read" not in auth.GRANTS[token.role]:
        raise SendensedError(f"'{token.name}' is an appliance: it sends, it may not look; name another token")
    code = await welcome.one_time_code(tokens, token, SystemEnvironment())
    print(welcome.link(options.hub or url_for_people(settings_of(options)), code), flush=True)
    _say(f"signs one browser in as '{token.name}' ({token.role}), once, within 10 minutes")


async def _list(tokens: Tokens, options: argparse.Namespace) -> None:
    found = await tokens.listed()
    if options.json:
        for token in found:
            print(json.dumps(_shown(token)))
        return
    if not found:
        _say("no tokens yet: sendensed token create NAME --role ROLE makes one")
        return
    rows = [["NAME", "ROLE", "ID", "CREATED", "LAST USED", "REVOKED"]]
    rows += [[value or "-" for value in _shown(token).values()] for token in found]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _shown(token: Token) -> dict[str, str | None]:
    return {
        "name": token.name,
        "role": token.role,
        "id": token.id,
        "created_at": _time(token.created_at),
        "last_used_at": _time(token.last_used_at),
        "revoked_at": _time(token.revoked_at),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


async def _newest(tokens: Tokens, name: str) -> Token:
    live = [token for token in await tokens.listed() if token.name == name and token.revoked_at is None]
    if not live:
        raise NotFound(f"no live token has the name '{name}': see sendensed token list")
    return live[0]


def _say(text: str) -> None:
    print(text, file=sys.stderr)


_ACTIONS = {"create": _create, "list": _list, "rotate": _rotate, "revoke": _revoke, "link": _link}
