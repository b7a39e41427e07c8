"""What a Conclave agent in Python 3 needs: copy this file beside your agent.py. No packages."""

import base64
import json
import os
import sys
import traceback


class Agent:
    """One agent. Overwrite `init` and `handle`; keep the state in `self.state`."""

    # "json": the state is what json.dumps takes. "base64": overwrite `checkpoint` and `restore`.
    state_form = "json"

    def __init__(self):
        self.state = None
        # "agent", "type" and "epoch": a fencing token that outside systems can compare.
        self.context = {}

    def init(self):
        """The state of a new agent. An exception means that the agent cannot start."""
        return {}

    def handle(self, task):
        """Takes one task and returns its result. An exception refuses the task: the state goes back to before it."""
        raise NotImplementedError("handle")

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
    for line in sys.stdin.buffer:
        request = json.loads(line)
        answer = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            answer["result"] = _answer(agent, request["method"], request.get("params", {}))
            text = json.dumps(answer, allow_nan=False, separators=(",", ":"))
        except Exception as error:
            traceback.print_exc()
            answer.pop("result", None)
            answer["error"] = {"code": -32000, "message": str(error) or type(error).__name__}
            text = json.dumps(answer, separators=(",", ":"))
        answers.write(text + "\n")
        answers.flush()


def _answer(agent, method, params):
    if method == "describe":
        return {"protocol": 1, "state": agent.state_form}
    if method == "ping":
        return {}
    if method == "init":
        agent.context = params["context"]
        agent.state = agent.init()
        return {"state": _kept(agent)}
    if method == "restore":
        agent.context = params["context"]
        kept = params["state"]
        agent.state = agent.restore(base64.b64decode(kept) if agent.state_form == "base64" else kept)
        return {"state": params["state"]}
    if method == "handle":
        result = agent.handle(params["task"])
        return {"result": result, "state": _kept(agent)}
    raise ValueError("unknown method " + method)


def _kept(agent):
    kept = agent.checkpoint()
    return base64.b64encode(kept).decode("ascii") if agent.state_form == "base64" else kept
