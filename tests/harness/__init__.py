"""What the tests under tests/ are written with: see tests/README.md."""
from .domain import Credential, Domain
from .net import endpoint, fresh_address, split_endpoint, wait_until
from .node import Node, channel
from .runner import run, test
from .scene import Scene
from .servers import Server, answer_with, digest_after_eof, echo, flood, http, sink, slow_reader
from .stream import PlainStream, Refused, TlsStream, Truncated, client_context, server_context

__all__ = [
    "Credential", "Domain", "Node", "PlainStream", "Refused", "Scene", "Server", "TlsStream", "Truncated",
    "answer_with", "channel", "client_context", "digest_after_eof", "echo", "endpoint", "flood", "fresh_address", "http", "run",
    "server_context", "sink", "slow_reader", "split_endpoint", "test", "wait_until",
]
