import signal, pytest, random
from netflix_dagster_tests.defs.conftest import *
from netflix_dagster_tests.defs.test_interruptions import *
@pytest.mark.parametrize("i", range(50))
def test_sig(built, i):
    built.release(LATER, *RELEASE)
    assert signal_after(built, 3, 0.1, signal.SIGINT) not in (0, None)
