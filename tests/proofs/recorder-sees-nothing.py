"""Process C records everything between two nodes and finds none of what was said, nor who the client is.

Control: the same marker in the same recording with `protect = "none"` is there in clear.
"""
from harness import run, test
from harness.pair import Pair
from harness.refusals import CLIENT

MARKER = b"cipherway-marker-5e2f3c0a91"


@test
def protected(scene):
    """a marker is absent from the recording of tls and mutual-tls, and present in that of none"""
    for protect, visible in (("mutual-tls", False), ("tls", False), ("none", True)):
        pair = Pair(scene, protect=protect)
        pair.exchange(MARKER * 100)
        recorded = pair.tap.recorded()
        assert len(recorded) >= 2 * 100 * len(MARKER), "the recorder missed something"
        assert (MARKER in recorded) == visible, f"{protect}: marker in clear is {not visible}"
        # TLS 1.3 encrypts certificates too: the client's name does not show.
        assert CLIENT.encode() not in recorded


run()
