"""Stands in for a language model: answers by rule, always the same, and asks for a tool as a model would."""

import re

_sum = re.compile(r"(-?\d+)\s*([+*-])\s*(-?\d+)")


class FakeModel:
    def complete(self, messages):
        """The next message of the assistant, given all before it."""
        last = messages[-1]
        if last["role"] == "tool":
            return {"role": "assistant", "content": f"The answer is {last['content']}. TERMINATE"}
        asked = _sum.search(last["content"])
        if asked:
            left, operator, right = asked.groups()
            arguments = {"left": int(left), "operator": operator, "right": int(right)}
            return {"role": "assistant", "content": "", "tool_call": {"name": "calculate", "arguments": arguments}}
        if "earlier" in last["content"]:
            count = sum(message["role"] == "user" for message in messages) - 1
            return {"role": "assistant", "content": f"You asked me {count} times before. TERMINATE"}
        return {"role": "assistant", "content": "I can only calculate. TERMINATE"}
