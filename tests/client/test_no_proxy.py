"""NO_PROXY: each rule with hosts that match and hosts that must not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.client.proxy.no_proxy import NoProxy

# rule, NO_PROXY, host, port, whether the host is reached without a proxy
CASES = [
    ("nothing listed", "", "example.com", 80, False),
    ("nothing listed", " , ,, ", "example.com", 80, False),
    ("star is every host", "*", "example.com", 80, True),
    ("star is every host", "*", "192.0.2.1", 80, True),
    ("star is every host", "*", "2001:db8::1", 80, True),
    ("star counts among others", "example.com, *", "example.org", 443, True),
    ("star has no port", "*:8080", "example.com", 8080, False),
    ("the host itself", "example.com", "example.com", 80, True),
    ("the host itself, any port", "example.com", "example.com", 8080, True),
    ("hosts below it", "example.com", "www.example.com", 80, True),
    ("hosts below it", "example.com", "a.b.c.example.com", 80, True),
    ("suffix at a border of labels", "example.com", "notexample.com", 80, False),
    ("no prefix", "example.com", "example.com.evil.test", 80, False),
    ("not the host above", "www.example.com", "example.com", 80, False),
    ("other host", "example.com", "example.org", 80, False),
    ("one label", "com", "example.com", 80, True),
    ("one label", "intranet", "intranet", 80, True),
    ("leading dot: hosts below", ".example.com", "www.example.com", 80, True),
    ("leading dot: the host, as curl", ".example.com", "example.com", 80, True),
    ("leading dot: border of labels", ".example.com", "notexample.com", 80, False),
    ("wildcard label: hosts below", "*.example.com", "www.example.com", 80, True),
    ("wildcard label: hosts far below", "*.example.com", "a.b.example.com", 80, True),
    ("wildcard label: not the host, as Go", "*.example.com", "example.com", 80, False),
    ("wildcard label: border of labels", "*.example.com", "notexample.com", 80, False),
    ("wildcard elsewhere is no entry", "www.*.com", "www.example.com", 80, False),
    ("wildcard elsewhere is no entry", "*example.com", "www.example.com", 80, False),
    ("port", "example.com:8080", "example.com", 8080, True),
    ("port, hosts below", "example.com:8080", "www.example.com", 8080, True),
    ("port, another", "example.com:8080", "example.com", 80, False),
    ("port with leading zero", "example.com:080", "example.com", 80, True),
    ("port after a leading dot", ".example.com:8080", "a.example.com", 8080, True),
    ("port after a wildcard", "*.example.com:8080", "a.example.com", 8080, True),
    ("port after a wildcard", "*.example.com:8080", "example.com", 8080, False),
    ("two ports", "example.com:1,example.com:2", "example.com", 2, True),
    ("two ports", "example.com:1,example.com:2", "example.com", 3, False),
    ("case of the entry", "EXAMPLE.Com", "example.com", 80, True),
    ("case of the host", "example.com", "WWW.Example.COM", 80, True),
    ("trailing dot of the entry", "example.com.", "example.com", 80, True),
    ("trailing dot of the host", "example.com", "www.example.com.", 80, True),
    ("commas and blanks", "a.test , b.test\tc.test", "c.test", 80, True),
    ("blanks alone", "a.test b.test", "b.test", 80, True),
    ("lines", "a.test\nb.test\n", "b.test", 80, True),
    ("IDN entry", "bücher.example", "xn--bcher-kva.example", 80, True),
    ("IDN entry, hosts below", "*.BÜCHER.example", "a.xn--bcher-kva.example", 80, True),
    ("IDN entry with a port", ".bücher.example:81", "xn--bcher-kva.example", 81, True),
    ("localhost is not special", "example.com", "localhost", 80, False),
    ("loopback is not special", "localhost", "127.0.0.1", 80, False),
    ("localhost listed", "localhost", "localhost", 80, True),
    ("IPv4", "192.0.2.1", "192.0.2.1", 80, True),
    ("IPv4, another", "192.0.2.1", "192.0.2.11", 80, False),
    ("IPv4 is no suffix", "0.2.1", "192.0.2.1", 80, False),
    ("IPv4 with a port", "192.0.2.1:8080", "192.0.2.1", 8080, True),
    ("IPv4 with a port", "192.0.2.1:8080", "192.0.2.1", 80, False),
    ("IPv4 with a trailing dot", "192.0.2.1.", "192.0.2.1", 80, True),
    ("IPv4 with a trailing dot", "192.0.2.0/24", "192.0.2.1.", 80, True),
    ("IPv4 network", "10.0.0.0/8", "10.255.3.4", 80, True),
    ("IPv4 network, outside", "10.0.0.0/8", "11.0.0.1", 80, False),
    ("IPv4 network, not on bytes", "172.16.0.0/12", "172.31.255.255", 80, True),
    ("IPv4 network, not on bytes", "172.16.0.0/12", "172.32.0.0", 80, False),
    ("IPv4 network with host bits", "192.0.2.77/24", "192.0.2.1", 80, True),
    ("IPv4 network of one", "192.0.2.1/32", "192.0.2.1", 80, True),
    ("IPv4 network of one", "192.0.2.1/32", "192.0.2.2", 80, False),
    ("IPv4 network of all", "0.0.0.0/0", "203.0.113.9", 80, True),
    ("IPv4 network holds no IPv6", "0.0.0.0/0", "2001:db8::1", 80, False),
    ("a network holds no names", "0.0.0.0/0", "example.com", 80, False),
    ("IPv6", "2001:db8::1", "2001:db8::1", 80, True),
    ("IPv6, another", "2001:db8::1", "2001:db8::2", 80, False),
    ("IPv6 written otherwise", "2001:0DB8:0:0::0001", "2001:db8::1", 80, True),
    ("IPv6 written otherwise", "::1", "0:0:0:0:0:0:0:1", 80, True),
    ("IPv6 in brackets", "[::1]", "::1", 80, True),
    ("IPv6 with a port", "[::1]:8080", "::1", 8080, True),
    ("IPv6 with a port", "[::1]:8080", "::1", 80, False),
    ("IPv6, no port without brackets", "::1:8080", "::1", 8080, False),
    ("IPv6 zone of the host", "fe80::1", "fe80::1%eth0", 80, True),
    ("IPv6 zone of the entry", "fe80::1%eth1", "fe80::1%eth0", 80, True),
    ("IPv6 network", "fd00::/8", "fdab:1::2", 80, True),
    ("IPv6 network, outside", "fd00::/8", "fe80::1", 80, False),
    ("IPv6 network, not on bytes", "fe80::/10", "febf::1%en0", 80, True),
    ("IPv6 network in brackets", "[2001:db8::]/32", "2001:db8:ffff::", 80, True),
    ("IPv6 network of all", "::/0", "2001:db8::1", 80, True),
    ("IPv6 network holds no IPv4", "::/0", "192.0.2.1", 80, False),
    ("networks of both", "2001:db8::1 10.0.0.0/8 a.test", "10.0.0.1", 80, True),
    ("networks of both", "2001:db8::1 10.0.0.0/8 a.test", "192.0.2.1", 80, False),
    ("networks of both", "10.0.0.0/8 192.0.2.1 fd00::/8", "fd00::1", 80, True),
    ("networks of both", "10.0.0.0/8 192.0.2.1 fd00::/8", "fe00::1", 80, False),
    ("IPv4-mapped host", "192.0.2.1", "::ffff:192.0.2.1", 80, True),
    ("IPv4-mapped host", "192.0.2.0/24", "::ffff:c000:21f", 80, True),
    ("IPv4-mapped entry", "::ffff:192.0.2.1", "192.0.2.1", 80, True),
    ("IPv4-mapped network", "::ffff:192.0.2.0/120", "192.0.2.9", 80, True),
    ("IPv4-mapped network", "::ffff:192.0.2.0/120", "192.0.3.9", 80, False),
]


@pytest.mark.parametrize(("rule", "text", "host", "port", "expected"), CASES)
def test_rule(rule: str, text: str, host: str, port: int, expected: bool) -> None:
    assert NoProxy.parse(text).matches(host, port) is expected, rule


BAD = [
    "example.com:http",
    "example.com:",
    "example.com:65536",
    "example.com:-1",
    "http://example.com",
    "http://example.com/",
    "example.com/",
    "user@example.com",
    "example..com",
    "a" * 64 + ".example.com",
    ".",
    "..",
    "*.",
    "*.*",
    ":80",
    "[",
    "[]",
    "[]:80",
    "[example.com",
    "::1]",
    ":::",
    "1:2:3:4:5:6:7:8:9",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/+8",
    "10.0.0.0/８",
    "10.0.0.0/255.0.0.0",
    "10.0.0.0/8/8",
    "10.0.0/8",
    "10.0.0.0/8:80",
    "::/129",
    "::ffff:10.0.0.0/8",
    "example.com/24",
    "\x00",
    "\ud800",
    "ab--\u00fc.example",
]


@pytest.mark.parametrize("entry", BAD)
@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "::1", "a.com", ""])
def test_bad_entry_takes_no_host_and_no_other_entry_with_it(entry: str, host: str) -> None:
    assert not NoProxy.parse(entry).matches(host, 80)
    hosts = NoProxy.parse(f"good.test,{entry},192.0.2.0/24")
    assert hosts.matches("good.test", 80)
    assert hosts.matches("192.0.2.1", 80)
    assert not hosts.matches(host, 80)


@given(st.text(st.sampled_from("*.,:[]%/ 0129afex\u00fc\u0130-\x00\ud800") | st.characters()), st.integers(0, 65535))
def test_any_text_gives_a_list_without_hosts_it_does_not_name(text: str, port: int) -> None:
    hosts = NoProxy.parse(text)
    assert hosts.matches("never.listed.test", port) is ("*" in text.replace(",", " ").split())


@given(st.ip_addresses(), st.integers(0, 128))
def test_address_is_in_the_network_made_of_it(address: object, bits: int) -> None:
    length = min(bits, 128 if ":" in str(address) else 32)
    assert NoProxy.parse(f"{address}/{length}").matches(str(address), 80) or "::ffff:" in str(address)


def test_name_of_many_labels_is_looked_up_once_for_each() -> None:
    hosts = NoProxy.parse(",".join(f"host{n}.example" for n in range(1000)))
    assert hosts.matches("a." * 100 + "host999.example", 80)
    assert not hosts.matches("a." * 100 + "host1000.example", 80)
