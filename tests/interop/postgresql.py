"""PostgreSQL behind a channel: psql, pgbench and libpq in front, a server of 15 behind, mutual TLS between two nodes."""
import ctypes
import hashlib
import os
import select
import struct
import subprocess

from harness import TlsStream, channel, client_context, run, wait_until
from harness.net import split_endpoint
from harness.pair import Pair
from harness.process import Process, kill
from harness.programs import Program, give_to, unprivileged
from harness.refusals import SERVER, check_refusal

USER = "postgres"
program = Program("PostgreSQL")
THROUGH = "plain -> mutual TLS -> plain"


class Postgres:
    """A server of its own folder and address; with `credential` it also speaks the TLS of PostgreSQL's own protocol."""

    def __init__(self, scene, credential=None):
        self.where = scene.endpoint()
        folder = scene.path("postgres")
        os.mkdir(folder, 0o700)
        give_to(folder, USER)
        scene.process(["initdb", "-D", folder, "-U", "test", "-A", "trust", "-N", "--no-locale", "-E", "UTF8",
                       "--no-instructions"], **unprivileged(USER)).wait(60)
        address, port = split_endpoint(self.where)[1]
        settings = {"listen_addresses": address, "port": port, "unix_socket_directories": "", "fsync": "off",
                    "shared_buffers": "32MB", "max_connections": 40, "log_min_messages": "fatal"}
        with open(os.path.join(folder, "pg_hba.conf"), "w") as file:
            file.write("host all all 127.0.0.0/8 trust\n")  # every test has an address of its own
        if credential:
            for name, source in (("certificate", credential.certificate), ("key", credential.key)):
                with open(source, "rb") as content:
                    own = scene.write(f"postgres.{name}", content.read())
                os.chmod(own, 0o600)
                settings[f"ssl_{'cert' if name == 'certificate' else 'key'}_file"] = give_to(own, USER)
            settings["ssl"] = "on"
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.process = scene.process(["postgres", "-D", folder] + options, **unprivileged(USER))
        self.process.wait_listening(self.where, 60)


def conninfo(where: str, **options) -> str:
    address, port = split_endpoint(where)[1]
    fields = {"host": address, "port": port, "user": "test", "dbname": "postgres", "sslmode": "disable",
              "gssencmode": "disable", "connect_timeout": 20, **options}
    return " ".join(f"{name}={value}" for name, value in fields.items())


def psql(scene, where: str, *commands: str, **options) -> str:
    """What psql prints for these commands, unaligned."""
    words = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", conninfo(where, **options)]
    client: Process = scene.process(words + [word for command in commands for word in ("-c", command)])
    status = client.wait(60)
    assert status == 0, f"psql exits {status}: {client.text}"
    return client.text


def pair(scene, **options):
    return Pair(scene, target=Postgres(scene).where, tap=False, **options)


@program.case(THROUGH)
def queries(scene):
    """queries, an answer of 200,000 rows, an error in a transaction, 8 sessions of pgbench"""
    path = pair(scene, workers=2)
    assert psql(scene, path.entry, "SELECT 6 * 7") == "42\n"
    rows = psql(scene, path.entry, "SELECT i FROM generate_series(1, 200000) i").split()
    assert len(rows) == 200_000 and rows[-1] == "200000"
    error = scene.process(["psql", "-X", conninfo(path.entry), "-v", "ON_ERROR_STOP=1", "-c",
                           "BEGIN; CREATE TABLE t (i int); SELECT 1 / 0; COMMIT"])
    assert error.wait() != 0 and "division by zero" in error.text, error.text
    assert psql(scene, path.entry, "SELECT count(*) FROM pg_tables WHERE tablename = 't'") == "0\n"
    address, port = split_endpoint(path.entry)[1]
    target = ["-h", address, "-p", port, "-U", "test", "postgres"]
    environment = {"PGSSLMODE": "disable"}
    filled = scene.process(["pgbench", "-i", "-q", "-s", "1"] + target, env=environment)
    assert filled.wait(60) == 0, filled.text
    bench = scene.process(["pgbench", "-c", "8", "-t", "50", "-M", "prepared"] + target, env=environment)
    assert bench.wait(60) == 0, bench.text
    assert "400/400" in bench.text and "number of failed transactions: 0 " in bench.text, bench.text


@program.case(THROUGH)
def copy(scene):
    """COPY of 40 MB in and out again, equal to the last byte"""
    path = pair(scene)
    line = "x" * 180
    data = "".join(f"{number}\t{line}{number:09}\n" for number in range(205_000)).encode()
    assert len(data) > 40_000_000
    given, taken = scene.write("given", data), scene.path("taken")
    psql(scene, path.entry, "CREATE TABLE wide (i int, t text)", f"\\copy wide from '{given}'",
         f"\\copy (SELECT * FROM wide ORDER BY i) to '{taken}'")
    with open(taken, "rb") as file:
        assert hashlib.sha256(file.read()).digest() == hashlib.sha256(data).digest()
    copied = [e for e in path.b.events("connection.closed") if e["bytes_in"] > len(data) < e["bytes_out"]]
    assert copied or wait_until(lambda: [e for e in path.b.events("connection.closed")
                                         if e["bytes_in"] > len(data) < e["bytes_out"]], "40 MB in the log")


class Libpq:
    """A connection by libpq itself, for what psql does not show."""

    library = None

    class Notify(ctypes.Structure):
        _fields_ = [("relname", ctypes.c_char_p), ("be_pid", ctypes.c_int), ("extra", ctypes.c_char_p)]

    def __init__(self, where: str):
        if Libpq.library is None:
            Libpq.library = ctypes.CDLL("libpq.so.5")
            for name, result in (("PQconnectdb", ctypes.c_void_p), ("PQexec", ctypes.c_void_p),
                                 ("PQerrorMessage", ctypes.c_char_p), ("PQgetCancel", ctypes.c_void_p),
                                 ("PQnotifies", ctypes.POINTER(Libpq.Notify)), ("PQgetvalue", ctypes.c_char_p),
                                 ("PQresultErrorMessage", ctypes.c_char_p)):
                getattr(Libpq.library, name).restype = result
        self.connection = ctypes.c_void_p(self.library.PQconnectdb(conninfo(where).encode()))
        assert self.library.PQstatus(self.connection) == 0, self.library.PQerrorMessage(self.connection)

    def execute(self, command: str) -> str:
        """The first value of the answer; "" if there is none."""
        result = ctypes.c_void_p(self.library.PQexec(self.connection, command.encode()))
        assert self.library.PQresultStatus(result) in (1, 2), self.library.PQresultErrorMessage(result)
        rows = self.library.PQntuples(result)
        value = self.library.PQgetvalue(result, 0, 0).decode() if rows else ""
        self.library.PQclear(result)
        return value

    def notification(self, deadline: float = 15) -> tuple[str, str]:
        """The next one that the server sends by itself."""
        socket = self.library.PQsocket(self.connection)

        def arrived():
            found = self.library.PQnotifies(self.connection)
            if found:
                return found.contents.relname.decode(), found.contents.extra.decode()
            if select.select([socket], [], [], 0.2)[0]:
                assert self.library.PQconsumeInput(self.connection), self.library.PQerrorMessage(self.connection)
            return None
        return wait_until(arrived, "a notification", deadline)

    def close(self) -> None:
        self.library.PQfinish(self.connection)


@program.case(THROUGH)
def notify(scene):
    """LISTEN on a connection of its own: the server speaks when others NOTIFY, 200 times, and after silence"""
    path = pair(scene, timeouts={"handshake": "500ms", "connect": "500ms"})
    listener = Libpq(path.entry)
    listener.execute("LISTEN news")
    speaker = Libpq(path.entry)
    for number in range(200):
        speaker.execute(f"NOTIFY news, '{number}'")
        assert listener.notification() == ("news", str(number))
    # Longer than any timeout of a handshake: a connection that has opened is not measured by them.
    speaker.execute("SELECT pg_sleep(1.2)")
    speaker.execute("NOTIFY news, 'after silence'")
    assert listener.notification() == ("news", "after silence")
    assert listener.execute("SELECT 1") == "1"
    for connection in (listener, speaker):
        connection.close()
    for node in (path.a, path.b):
        for number in (1, 2):
            assert node.wait_event("connection.closed", count=number)["how"] == "closed"


@program.case(THROUGH)
def cancel(scene):
    """a query is cancelled: Ctrl-C in psql opens a second connection to say so"""
    path = pair(scene)
    client = scene.process(["psql", "-X", conninfo(path.entry), "-c", "SELECT pg_sleep(600)"])
    observer = Libpq(path.entry)
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%' AND state = 'active'"
    wait_until(lambda: observer.execute(running) == "1", "the query to run", pause=0.05)
    kill(client.pid, 2)
    assert client.wait() != 0
    assert "canceling statement due to user request" in client.text, client.text
    assert observer.execute(running) == "0"
    observer.close()


@program.case("plain -> mutual TLS -> plain, PostgreSQL's own TLS inside")
def own_tls(scene):
    """sslmode=verify-full from client to server: the channel carries it as any bytes"""
    domain = scene.domain()
    server = Postgres(scene, domain.issue(SERVER, "db.example.org"))
    path = Pair(scene, target=server.where, tap=False, domain=domain)
    address = split_endpoint(path.entry)[1][0]
    # The root is its own: psql wants the chain to end in a file of roots.
    answer = psql(scene, path.entry, "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
                  host="db.example.org", hostaddr=address, sslmode="verify-full", sslrootcert=domain.bundle)
    assert answer == "TLSv1.3\n", answer


@program.case("TLS from the client on (sslnegotiation=direct)")
def direct(scene):
    """a client that begins with TLS and ALPN `postgresql` (RFC 8446 from the first byte), as libpq 17 can"""
    domain, where = scene.domain(), scene.endpoint()
    node = scene.node("door", identities={"server": (domain.issue(SERVER, "db.example.org"), domain.bundle)}, channels=[
        channel("db", listen={"listen": where, "protect": "tls", "identity": "server", "alpn": ["postgresql"]},
                to={"targets": [Postgres(scene).where], "protect": "none"})])
    with TlsStream.connect(where, client_context(domain.bundle, alpn=["postgresql"])) as stream:
        startup = b"\0\3\0\0user\0test\0database\0postgres\0\0"
        stream.send(struct.pack("!I", len(startup) + 4) + startup)
        assert messages(stream)[-1][0] == b"Z"
        query = b"SELECT repeat('y', 100000)\0"
        stream.send(b"Q" + struct.pack("!I", len(query) + 4) + query)
        answer = dict(messages(stream))
        assert b"y" * 100_000 in answer[b"D"]
        stream.send(b"X\0\0\0\4")
        assert not stream.recv()
    assert node.wait_event("connection.open")["alpn"] == "postgresql"


def messages(stream) -> list[tuple[bytes, bytes]]:
    """Messages of the server up to ReadyForQuery."""
    found = []
    while not found or found[-1][0] != b"Z":
        kind, length = struct.unpack("!cI", stream.recv_exactly(5))
        assert kind != b"E"
        found.append((kind, stream.recv_exactly(length - 4)))
    return found


@program.case("TLS from the client on (sslmode=require)")
def asks_in_clear(scene):
    """libpq before 17 asks in clear whether there is TLS: refused as not-tls at once, and the log names it"""
    domain, where = scene.domain(), scene.endpoint()
    node = scene.node("door", identities={"server": (domain.issue(SERVER, "db.example.org"), domain.bundle)}, channels=[
        channel("db", listen={"listen": where, "protect": "tls", "identity": "server"},
                to={"targets": [scene.endpoint()], "protect": "none"})])
    done = subprocess.run(["psql", "-X", conninfo(where, sslmode="require"), "-c", "SELECT 1"], capture_output=True,
                          timeout=20)
    assert done.returncode == 2, done
    check_refusal(node.wait_event("connection.refused"), "client", "not-tls", "PostgreSQL")


run()
