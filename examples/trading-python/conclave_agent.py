"""What a Conclave agent in Python 3 needs: copy this file beside your agent.py. No packages."""

import base64
import json
import os
import queue
import sys
import threading
import traceback


class Agent:
    """One agent. Overwrite `init` and `handle`; keep the state in `self.state`."""

    # "json": the state is what json.dumps takes. "base64": overwrite `checkpoint` and `restore`.
    state_form = "json"

    def __init__(self):
        self.state = None
        # "agent", "type" and "epoch": a fencing token that outside systems can compare. It may grow from task to task.
        self.context = {}
        # Of the task that runs: the same at every try, so that an outside system knows what it was given before.
        self.task_id = None
        self._cancelled = None
        self._write = lambda message: None
        self._send = []
        self._timers = []

    @property
    def cancelled(self):
        """Whether the task that runs is to be given up: a long one looks now and then, and raises an exception."""
        return self.task_id is not None and self._cancelled == self.task_id

    def progress(self, value):
        """Tells whoever waits for the task what there is before it is done; at most 64 KiB, 100 times a second."""
        self._write({"jsonrpc": "2.0", "method": "progress", "params": {"task": self.task_id, "value": value}})

    def send(self, to, task, **more):
        """
        Gives a task to another agent once this one's task is done and cannot be lost; it takes effect there once. `to`: a
        name, {"type": …, "key": …} or {"topic": …}. `more`: `priority`, `key`, `reply`: anything, which comes back as the
        task {"reply": …, "ok": …, "result" or "error": …}.
        """
        self._send.append({"to": to, "task": task, **more})

    def set_timer(self, name, task, after_ms=None, at_ms=None, every_ms=None):
        """Gives this agent a task later, on whatever node it is then. One of the same name makes way."""
        times = {"afterMs": after_ms, "atMs": at_ms, "everyMs": every_ms}
        self._timers.append({"name": name, "task": task, **{key: ms for key, ms in times.items() if ms is not None}})

    def cancel_timer(self, name):
        self._timers.append({"name": name, "cancel": True})

    def init(self):
        """The state of a new agent. An exception means that the agent cannot start."""
        return {}

    def handle(self, task):
        """Takes one task and returns its result. An exception refuses the task: the state goes back to before it."""
        raise NotImplementedError("handle")

    def merge(self, base, theirs, both):
        """
        Takes what a branch came to into `self.state`. `base`: the state where they parted; `both`: ids of tasks that both sides
        did. Left as it is, or with an exception, the branch is kept beside the agent as a fork.
        """
        raise NotImplementedError("merge")

    def checkpoint(self):
        """The state as it is kept: JSON, or bytes where `state_form` says so."""
        return self.state

    def restore(self, kept):
        """The reverse of `checkpoint`: returns the state."""
        return kept


def run(agent):
    """Talks with the node until it closes the input. What is printed goes to the log, never between the answers."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    # A print in the agent, or in what it imports, must not be taken for an answer.
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def write(message):
        answers.write(json.dumps(message, allow_nan=False, separators=(",", ":")) + "\n")
        answers.flush()

    agent._write = write
    requests = queue.Queue()
    threading.Thread(target=_read, args=(agent, requests), daemon=True).start()
    for request in iter(requests.get, None):
        answer = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            write({**answer, "result": _answer(agent, request["method"], request.get("params", {}))})
        except Exception as error:
            traceback.print_exc()
            write({**answer, "error": {"code": -32000, "message": str(error) or type(error).__name__}})


def _read(agent, requests):
    """Beside the agent, so that a task hears that it is cancelled while it runs. Only one request waits at a time."""
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if "id" in request:
            requests.put(request)
        elif request.get("method") == "cancel":
            agent._cancelled = request["params"]["task"]
    requests.put(None)


def _answer(agent, method, params):
    if method == "describe":
        can = {"merge": type(agent).merge is not Agent.merge, "epochs": True}
        return {"protocol": 1, "state": agent.state_form, **can}
    if method == "ping":
        return {}
    if method == "init":
        agent.context = params["context"]
        agent.state = agent.init()
        return {"state": _kept(agent)}
    if method == "restore":
        agent.context = params["context"]
        agent.state = _restored(agent, params["state"])
        return {"state": params["state"]}
    if "epoch" in params:
        agent.context = {**agent.context, "epoch": params["epoch"]}
    if method == "merge":
        base, theirs = (_restored(agent, params[name]) for name in ("base", "theirs"))
        agent.merge(base, theirs, params["both"])
        return {"state": _kept(agent)}
    if method == "handle":
        agent.task_id = params["id"]
        agent._send, agent._timers = [], []
        try:
            result = agent.handle(params["task"])
        finally:
            agent.task_id = agent._cancelled = None
        leads = {"send": agent._send, "timers": agent._timers}
        return {"result": result, "state": _kept(agent), **{key: list for key, list in leads.items() if list}}
    raise ValueError("unknown method " + method)


def _restored(agent, kept):
    return agent.restore(base64.b64decode(kept) if agent.state_form == "base64" else kept)


def _kept(agent):
    kept = agent.checkpoint()
    return base64.b64encode(kept).decode("ascii") if agent.state_form == "base64" else kept
