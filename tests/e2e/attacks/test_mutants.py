"""Tests of the tests: without the protection that stops it, an attack wins."""

import re
import os

import pytest

from bed import world

from . import catalogue, field

GUARDS = [pytest.param(attack, guard, id=f"{attack.name}-{guard.protection}")
          for attack in catalogue.ATTACKS for guard in attack.guards]


@pytest.mark.parametrize("attack, guard", GUARDS)
def test_without_it_the_attack_wins(bed, programs, mutant, attack, guard):
    off = [guard.protection, *guard.overlapping]
    fought = field.fight(bed, attack, programs, binary=mutant, off=off, root=guard.root)
    assert (guard.won or attack.won)(fought), fought


@pytest.mark.parametrize("attack, guard", [entry for entry in GUARDS if entry.values[1].overlapping])
def test_it_alone_is_enough(bed, programs, mutant, attack, guard):
    """With only the overlapping ones off, the one in question still stops the attack."""
    fought = field.fight(bed, attack, programs, binary=mutant, off=guard.overlapping, root=guard.root)
    assert not (guard.won or attack.won)(fought), fought


def test_every_protection_has_an_attack():
    with open(os.path.join(world.ROOT, "src", "core", "protection.h")) as file:
        names = set(re.findall(r'X\([A-Z_0-9]+, "([a-z0-9-]+)"\)', file.read()))
    guarded = {guard.protection for attack in catalogue.ATTACKS for guard in attack.guards}
    assert names and names == guarded | catalogue.PROVED_ELSEWHERE.keys()
