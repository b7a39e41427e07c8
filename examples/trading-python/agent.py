"""An agent that follows prices: {"symbol": "MSFT", "price": 39.81} → the figures of that symbol."""

from conclave_agent import Agent, run
from trading import take


class TradingAgent(Agent):
    def handle(self, task):
        return take(self.state, task)


run(TradingAgent())
