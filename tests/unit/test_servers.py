"""What the servers of a test run promise each test."""

import os

import redis


def test_each_test_meets_an_empty_redis(redis_client: redis.Redis):
    assert redis_client.dbsize() == 0


def test_the_settings_name_the_servers_of_this_run(settings, redis_url: str):
    assert redis_url == settings.REDIS_URL
    assert settings.DATABASES["default"]["HOST"] in os.environ["DATABASE_URL"]
