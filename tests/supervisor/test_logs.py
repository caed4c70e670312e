"""Logs that can't fill the disk."""

from supervisor import logs


def test_a_long_log_moves_aside_while_its_writer_goes_on(tmp_path):
    log = tmp_path / "web.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 10)

        logs.trim(tmp_path, most_bytes=10)
        writer.write(b"new\n")

    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "web.log.1").read_bytes() == b"old\n" * 10


def test_a_short_log_stays(tmp_path):
    (tmp_path / "web.log").write_bytes(b"short\n")

    logs.trim(tmp_path, most_bytes=10)

    assert [each.name for each in tmp_path.iterdir()] == ["web.log"]
