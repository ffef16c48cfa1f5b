"""No attack wins."""

import pytest

from . import catalogue, field


@pytest.mark.parametrize("attack", catalogue.ATTACKS, ids=lambda attack: attack.name)
def test_it_gets_nothing(bed, programs, attack, older_kernel):
    fought = field.fight(bed, attack, programs, older_kernel=older_kernel)
    assert not attack.won(fought), fought
    assert not fought.loot(), fought
