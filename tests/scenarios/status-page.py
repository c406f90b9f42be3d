"""The page for people, in a real browser: real traffic, a stopped target, a certificate about to expire, hostile names."""
import datetime
import os
import time

from harness import Refused, TlsStream, Truncated, channel, client_context, echo, run, test, wait_until
from harness.browser import Browser

HOSTILE = "<img src=x onerror=document.title='taken'>"


def shots() -> str | None:
    """Where pictures go, for people: CIPHERWAY_SHOTS."""
    return os.environ.get("CIPHERWAY_SHOTS")


def start(scene, name="door"):
    domain = scene.domain(HOSTILE)  # the names of the authorities have it
    servers = [scene.server(echo), scene.server(echo)]
    shop, mail = scene.endpoint(), scene.endpoint()
    soon = domain.issue("mail.example.org", starts=-10 * datetime.timedelta(hours=1), ends=datetime.timedelta(minutes=7))
    node = scene.node(name, identities={"shop": (domain.issue("shop.example.org"), domain.bundle),
                                        "mail": (soon, domain.bundle)},
                      workers=2, settings={"status": scene.endpoint()},
                      channels=[channel("shop", listen={"listen": shop, "protect": "mutual-tls", "identity": "shop",
                                                        "allow": ["spiffe://example.org/*"]},
                                        to={"targets": [servers[0].where, servers[1].where], "protect": "none"},
                                        health={"check": "tcp", "interval": "1s", "timeout": "1s"}),
                                channel("mail", listen={"listen": mail, "protect": "tls", "identity": "mail"},
                                        to={"targets": [servers[1].where], "protect": "none"})])
    return node, domain, servers, shop, mail


def page_of(scene, node, **how):
    browser = scene.own(Browser())
    assert browser.open(f"http://{node._settings['status']}/", **how)["status"] == 200
    return browser


def row(page, table, first):
    """The row of a table whose first cell begins with `first`, as texts by column."""
    found = page["tables"][table]
    for cells in found["rows"]:
        if cells[0].startswith(first):
            return dict(zip(found["head"], cells))
    raise AssertionError(f"{table} has no {first}: {found['rows']}")


@test
def shows_what_there_is(scene):
    """channels, sessions with verified names, peers, expiry in words, targets, exposure; a target that stops is seen to"""
    node, domain, servers, shop, mail = start(scene)
    buyer = client_context(domain.bundle, domain.issue("spiffe://example.org/buyer"))
    browser = page_of(scene, node)
    with TlsStream.connect(shop, buyer) as stream, TlsStream.connect(mail, client_context(domain.bundle)) as other:
        for each in (stream, other):
            each.send(b"x" * 3000)
            each.recv_exactly(3000)
        try:
            TlsStream.connect(shop, client_context(domain.bundle)).recv()
        except (Refused, Truncated, OSError):
            pass
        node.wait_event("connection.refused")

        def ready():
            page = browser.read()
            shown = row(page, "channels", "shop")
            return page if shown["Open"] == "1" and "no-certificate" in shown["Refused"] and row(
                page, "channels", "mail")["Open"] == "1" else None
        page = wait_until(ready, "the page to show the traffic", 30, pause=0.5)
        assert row(page, "channels", "shop")["State"] == "serving", page["tables"]["channels"]
        assert row(page, "channels", "shop")["In / out"] == "3.0 kB / 3.0 kB"
        assert row(page, "channels", "shop")["Full / resumed"].startswith("1 / 0")
        session = next(cells for cells in page["tables"]["sessions"]["rows"] if "spiffe://example.org/buyer" in cells[1])
        assert "TLSv1.3" in session[4] and "3.0 kB / 3.0 kB" in session[6], session
        assert row(page, "peers", "spiffe://example.org/buyer")["Sessions"] == "1"
        soon = row(page, "identities", "mail")
        assert "expires soon" in soon["Expires"] and "min" in soon["Expires"] and "mail.example.org" in soon["Names"], soon
        assert "valid" in row(page, "identities", "shop")["Expires"]
        kinds = dict(zip([cells[0] for cells in page["tables"]["identities"]["rows"]], page["tables"]["identities"]["kinds"]))
        assert kinds["mail"] == ["pill warn"] and kinds["shop"] == ["pill good"], kinds
        keys = [cells[0] for cells in page["tables"]["exposure"]["rows"]]
        assert "private key of shop" in keys and any("session keys" in key for key in keys), keys
        assert {"supervisor", "keyholder", "gateway-0", "gateway-1", "status-server"} == {
            cells[0] for cells in page["tables"]["processes"]["rows"]}
        assert "expires soon" in page["text"] and page["phase"] == "serving"

        servers[1].stop()
        def seen_down():
            now = browser.read()
            return now if row(now, "targets", servers[1].where)["Health"].startswith("down") else None
        page = wait_until(seen_down, "the page to show the stopped target", 30, pause=0.5)
        assert row(page, "targets", servers[0].where)["Health"].startswith("up"), page["tables"]["targets"]
        assert row(page, "channels", "shop")["State"] == "some targets down", page["tables"]["channels"]

        assert not page["noise"], page["noise"]
        base = f"http://{node._settings['status']}/"
        assert set(page["requested"]) <= {base, base + "status.json"} or all(
            url.startswith((base, "data:")) for url in page["requested"]), page["requested"]
        if folder := shots():
            browser.shot(os.path.join(folder, "desktop-light.png"))
            for name, how in {"desktop-dark": {"scheme": "dark"}, "phone-light": {"width": 390, "height": 844},
                              "phone-dark": {"width": 390, "height": 844, "scheme": "dark"}}.items():
                picture = page_of(scene, node, **how)
                for _ in range(200):
                    with TlsStream.connect(mail, client_context(domain.bundle)):
                        pass
                time.sleep(5)  # for a picture with a line in it
                picture.shot(os.path.join(folder, name + ".png"))


@test
def says_when_it_has_lost_contact(scene):
    """a node that ends leaves a page that says so, and since when; the figures stay, marked as old"""
    node, _, _, _, _ = start(scene)
    browser = page_of(scene, node)
    assert browser.read()["lost"] == ""
    node.stop()
    page = wait_until(lambda: browser.read()["lost"] and browser.read(), "the page to notice", 30, pause=0.5)
    assert page["lost"].startswith("No contact with the node since "), page["lost"]
    assert row(page, "channels", "shop")["Channel"].startswith("shop")


@test
def hostile_names_stay_text(scene):
    """markup in a file name, in an authority's name and in an SNI is shown as it is, and becomes nothing"""
    node, domain, _, shop, _ = start(scene, name=HOSTILE)
    buyer = client_context(domain.bundle, domain.issue("spiffe://example.org/buyer"))
    browser = page_of(scene, node)
    with TlsStream.connect(shop, buyer) as stream:
        stream.send(b"x")
        stream.recv_exactly(1)
        page = wait_until(lambda: (now := browser.read())["tables"]["sessions"]["rows"][0][0] != "Nobody is connected." and now,
                          "the session to be shown", 30, pause=0.5)
    assert HOSTILE in page["text"], "the name of the config is not on the page"
    assert "img src=x onerror" in row(page, "identities", "shop")["Issuer"], page["tables"]["identities"]
    assert "img" not in page["elements"] and "script" not in page["elements"], page["elements"]
    assert page["title"] == "Cipherway · serving" and not page["noise"], (page["title"], page["noise"])


@test
def fits_a_phone(scene):
    """nothing sticks out at 360 pixels, and the columns keep their names"""
    node, domain, _, shop, _ = start(scene)
    browser = page_of(scene, node, width=360, height=740)
    page = browser.read()
    assert page["wider"] == 0, f"{page['wider']} pixels wider than the screen"
    assert row(page, "channels", "shop")["State"] == "serving"


run()
