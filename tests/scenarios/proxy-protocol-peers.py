"""PROXY protocol with HAProxy and nginx, in front and behind."""
from harness import PlainStream, TlsStream, channel, client_context, run, test
from harness.interop import HOST, get
from harness.refusals import CLIENT, SERVER
from harness.servers import http

HAPROXY = """global
 maxconn 100
 nbthread 1
defaults
 mode {mode}
 timeout connect 5s
 timeout client 10s
 timeout server 10s
"""


def haproxy(scene, where, sections, mode="tcp"):
    config = scene.write("haproxy.cfg", HAPROXY.format(mode=mode) + sections)
    scene.process(["haproxy", "-db", "-f", config]).wait_listening(where)


def combined(scene, credential) -> str:
    with open(credential.certificate) as chain, open(credential.key) as key:
        return scene.write("haproxy.pem", chain.read() + key.read())


def told_by(scene, option, mutual=False):
    """HAProxy in front of a node, with `option` on its server line: the `connection.open` of a client's request."""
    domain = scene.domain()
    server = scene.server(http(b"answer"))
    where, front = scene.endpoint(), scene.endpoint()
    node = scene.node("node", channels=[channel("c", listen={"listen": where, "protect": "none",
                                                             "proxy_from": ["127.0.0.0/8"]},
                                                to={"targets": [server.where], "protect": "none"})])
    bind = f"bind {front}"
    if mutual:
        bind += f" ssl crt {combined(scene, domain.issue(SERVER, HOST))} verify required ca-file {domain.bundle}"
    haproxy(scene, front, f"listen l\n {bind}\n server s {where} {option}\n")
    if mutual:
        with TlsStream.connect(front, client_context(domain.bundle, domain.issue(CLIENT)), server_name=HOST) as stream:
            stream.send(b"GET / HTTP/1.1\r\n\r\n")
            assert b"answer" in stream.recv()
            host, port = stream.sock.getsockname()
    else:
        with PlainStream.connect(front) as stream:
            stream.send(b"GET / HTTP/1.1\r\n\r\n")
            assert b"answer" in stream.recv()
            host, port = stream.sock.getsockname()
    event = node.wait_event("connection.open", **{"from": f"{host}:{port}"})
    assert event["via"] not in ("", event["from"]), event
    assert not node.events("connection.refused"), node.events("connection.refused")


@test
def haproxy_in_front_v1(scene):
    """send-proxy"""
    told_by(scene, "send-proxy")


@test
def haproxy_in_front_v2(scene):
    """send-proxy-v2 with the checksum"""
    told_by(scene, "send-proxy-v2 proxy-v2-options crc32c")


@test
def haproxy_in_front_with_tls(scene):
    """send-proxy-v2-ssl-cn, with the client's certificate, the SNI and the checksum"""
    told_by(scene, "send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,authority,crc32c", mutual=True)


def node_before(scene, version, target):
    """A node that tells `target` who connects, to a client with TLS: (host, port) of the client, and the answer."""
    domain = scene.domain()
    where = scene.endpoint()
    scene.node("node", identities={"server": (domain.issue(SERVER, HOST), domain.bundle)}, channels=[
        channel("c", listen={"listen": where, "protect": "mutual-tls", "identity": "server", "allow": [CLIENT]},
                to={"targets": [target], "protect": "none", "proxy_protocol": version})])
    client = domain.issue(CLIENT, common_name="Client Number One")
    with TlsStream.connect(where, client_context(domain.bundle, client), server_name=HOST) as stream:
        stream.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        answer = stream.recv_all().decode().splitlines()[-1]
        return stream.sock.getsockname(), where, answer


@test
def haproxy_behind(scene):
    """accept-proxy: HAProxy knows the client's address, where it connected, and with version 2 its SNI"""
    for version in ("v1", "v2"):
        target = scene.endpoint()
        haproxy(scene, target, f"frontend f\n bind {target} accept-proxy\n http-request return status 200 content-type "
                               "text/plain lf-string \"%[src]:%[src_port] %[dst]:%[dst_port] %[fc_pp_authority]\"\n",
                mode="http")
        (host, port), where, answer = node_before(scene, version, target)
        assert answer.split() == [f"{host}:{port}", where] + ([HOST] if version == "v2" else []), answer


def nginx(scene, where, listen, answer):
    temporary = "".join(f"{what}_temp_path {scene.folder};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = scene.write("nginx.conf", "daemon off; master_process off; pid nginx.pid; error_log stderr info;\n"
                         "events { worker_connections 64; }\nhttp { access_log off; " + temporary +
                         f"\nserver {{ listen {where} {listen}; location / {{ return 200 '{answer}'; }} }} }}\n")
    scene.process(["nginx", "-p", scene.folder, "-c", config, "-e", "stderr"]).wait_listening(where)


@test
def nginx_behind(scene):
    """listen ... proxy_protocol: nginx knows the client's address, and where it connected"""
    for version in ("v1", "v2"):
        target = scene.endpoint()
        nginx(scene, target, "proxy_protocol", "$proxy_protocol_addr:$proxy_protocol_port "
                                               "$proxy_protocol_server_addr:$proxy_protocol_server_port")
        (host, port), where, answer = node_before(scene, version, target)
        assert answer.split() == [f"{host}:{port}", where], answer


@test
def nginx_that_expects_none(scene):
    """the control: to an nginx without proxy_protocol the header is a bad request"""
    target, where = scene.endpoint(), scene.endpoint()
    nginx(scene, target, "", "fine")
    scene.node("node", channels=[channel("c", listen={"listen": where, "protect": "none"},
                                         to={"targets": [target], "protect": "none", "proxy_protocol": "v1"})])
    assert " 400 " in get(where).splitlines()[0]


run()
