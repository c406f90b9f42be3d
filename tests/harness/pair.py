"""Process A talks to process B: an unchanged client, node A, process C on the wire, node B, an unchanged server."""
from .node import Node, channel
from .refusals import CLIENT, SERVER
from .servers import Server, echo
from .stream import PlainStream
from .tap import Tap


class Pair:
    """`protect` is what runs between A and B; the tap between them sees and records that. `target` is a server that a
    test brings along, in place of one with that `behaviour`; `tap=False` leaves process C out, where much passes."""

    def __init__(self, scene, protect="mutual-tls", behaviour=echo, domain=None, key="p256", a=None, b=None,
                 change=None, workers=1, env=None, preexec=None, target=None, tap=True, a_settings=None, **options):
        self.scene = scene
        self.domain = domain or scene.domain()
        self.client = self.domain.issue(CLIENT, key=key)
        self.server_credential = self.domain.issue(SERVER, "server.example.org", key=key)
        self.server: Server | None = None if target else scene.server(behaviour)
        inner = scene.endpoint()
        self.entry = scene.endpoint()
        self.inner = inner
        tls = protect != "none"
        mutual = protect == "mutual-tls"
        bundle = self.domain.bundle
        listen = {"listen": inner, "protect": protect, **({"identity": "server"} if tls else {}),
                  **({"allow": [CLIENT]} if mutual else {}), **(b or {})}
        self.b: Node = scene.node(
            "b", identities={"server": (self.server_credential, bundle)}, workers=workers, env=env, preexec=preexec,
            channels=[channel("in", listen=listen, to={"targets": [target or self.server.where], "protect": "none"},
                              **options)])
        self.tap: Tap | None = scene.own(Tap(scene.endpoint(), inner, change)) if tap else None
        to = {"targets": [self.tap.where if tap else inner], "protect": protect, **({"expect": [SERVER]} if tls else {}),
              **({"identity": "client"} if mutual else {"trust": bundle} if tls else {}), **(a or {})}
        self.a: Node = scene.node(
            "a", identities={"client": (self.client, bundle)}, workers=workers, env=env, preexec=preexec,
            settings=a_settings,
            channels=[channel("out", listen={"listen": self.entry, "protect": "none"}, to=to, **options)])

    def connect(self) -> PlainStream:
        return PlainStream.connect(self.entry)

    def exchange(self, data: bytes) -> None:
        """Sends through the whole path to an echo, and compares."""
        with self.connect() as stream:
            stream.send(data)
            assert stream.recv_exactly(len(data)) == data
