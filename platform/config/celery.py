"""The Celery application of the workers and the web process."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("dormouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["workers"])
for _connected in ("announcer", "watcher", "collector"):  # to the worker's signals
    app.autodiscover_tasks(["workers"], related_name=_connected)


@app.on_after_finalize.connect
def _set_routes_and_schedule(sender: Celery, **_: object) -> None:
    """Give every task its queue and beat its table, once Django's settings can be read."""
    from hosting import nudges
    from workers.schedule import BEAT_SCHEDULE

    sender.conf.task_routes = {task: {"queue": queue} for task, queue in nudges.QUEUES.items()}
    sender.conf.beat_schedule = BEAT_SCHEDULE
