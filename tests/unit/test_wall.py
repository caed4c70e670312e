"""What the rules of a bridge say, without a firewall to say it to."""

import ipaddress

from hosting.runtimes import wall


def test_the_resolvers_of_this_host_are_those_of_elsewhere(tmp_path):
    file = tmp_path / "resolv.conf"
    file.write_text(
        "# ours\nnameserver 10.0.0.53\nnameserver 127.0.0.53\nnameserver fd00::1\n"
        "nameserver\nnameserver x\nsearch example.org\noptions edns0\n"
    )

    assert wall.resolvers(file) == ["10.0.0.53"]
    assert list(wall.resolvers(tmp_path / "none")) == []


def test_what_is_not_the_internet_is_a_neighbour():
    networks = [ipaddress.ip_network(each) for each in wall.NEIGHBOURS]

    for address in ("10.1.2.3", "172.31.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1"):
        assert any(ipaddress.ip_address(address) in each for each in networks)
    for address in ("1.1.1.1", "8.8.8.8", "203.0.113.7"):
        assert not any(ipaddress.ip_address(address) in each for each in networks)
