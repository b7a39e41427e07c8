"""The trading agent, which writes each of its steps into a ledger outside of the cluster, with its fencing token."""

import http.client
import json
import time
from urllib.parse import urlsplit

from conclave_agent import Agent, run
from trading import take

TRIES_MAX = 50


def ask(ledger, path, body):
    """The status of the ledger's answer. Nobody but the ledger may say no, so a broken connection is tried again."""
    for _ in range(TRIES_MAX):
        connection = http.client.HTTPConnection(urlsplit(ledger).netloc)
        try:
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
            return connection.getresponse().status
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError("the ledger cannot be reached")


class DeskAgent(Agent):
    def handle(self, task):
        result = take(self.state, task)
        effect = {"agent": self.context["agent"], "epoch": self.context["epoch"], "task": self.task_id}
        if task.get("gate"):
            ask(task["ledger"], "/gate", effect)
        if ask(task["ledger"], "/effects", effect) != 200:
            raise RuntimeError("the ledger has seen a newer epoch")
        return result


run(DeskAgent())
