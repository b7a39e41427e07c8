"""An assistant that remembers its conversation: {"say": "what is 6 * 7?"} → {"reply": …, "messages": …}."""

from conclave_agent import Agent, run
from conversation import AssistantAgent, UserProxyAgent, converse
from fake_model import FakeModel

TURNS_MAX = 8
MESSAGES_MAX = 1000
SAY_LENGTH_MAX = 500


def calculate(left, operator, right):
    if operator == "+":
        return left + right
    return left - right if operator == "-" else left * right


class ConversationAgent(Agent):
    def __init__(self):
        super().__init__()
        self.assistant = AssistantAgent(FakeModel())
        self.proxy = UserProxyAgent({"calculate": calculate})

    def init(self):
        return {"messages": [{"role": "system", "content": "You answer with tools."}]}

    def handle(self, task):
        if not isinstance(task, dict) or not isinstance(task.get("say"), str):
            raise ValueError('the task must be {"say": "…"}')
        if len(task["say"]) > SAY_LENGTH_MAX:
            raise ValueError(f"at most {SAY_LENGTH_MAX} characters")
        messages = self.state["messages"]
        messages.append({"role": "user", "content": task["say"]})
        reply = converse(self.assistant, self.proxy, messages, TURNS_MAX)
        # The history is the state, and a state has a limit: the system message and the latest stay.
        del messages[1:-MESSAGES_MAX]
        print(f"{len(messages)} messages")
        return {"reply": reply, "messages": len(messages)}


run(ConversationAgent())
