"""A conversation in the way of AutoGen: an assistant that asks the model, and a user proxy that runs its tools."""

TERMINATE = "TERMINATE"


class AssistantAgent:
    def __init__(self, model):
        self.model = model

    def reply(self, messages):
        return self.model.complete(messages)


class UserProxyAgent:
    def __init__(self, tools):
        self.tools = tools

    def reply(self, messages):
        """Runs the tool that the assistant asked for; nothing when the assistant is done."""
        last = messages[-1]
        call = last.get("tool_call")
        if call is None:
            return None
        tool = self.tools.get(call["name"])
        if tool is None:
            raise ValueError(f"the model asked for an unknown tool: {call['name']}")
        return {"role": "tool", "name": call["name"], "content": str(tool(**call["arguments"]))}


def converse(assistant, proxy, messages, turns_max):
    """Adds turns to `messages` until the assistant says that it is done; returns what it said last."""
    for _ in range(turns_max):
        said = assistant.reply(messages)
        messages.append(said)
        if TERMINATE in said["content"]:
            return said["content"].replace(TERMINATE, "").strip()
        answer = proxy.reply(messages)
        if answer is None:
            return said["content"]
        messages.append(answer)
    raise RuntimeError(f"no end after {turns_max} turns")
