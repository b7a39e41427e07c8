import trading, { type Book, type Quote } from '../../../examples/trading/agent.ts';
import { defineAgent } from '../../../node/runtime/agent.ts';

interface Order {
  /** Where the ledger listens. */
  ledger: string;
  /** Whether it stands still before it writes, until the ledger lets it go on. */
  gate?: boolean;
}

const triesMax = 50;

/** The status of the ledger's answer. Nobody but the ledger may say no, so a broken connection is tried again. */
async function ask(ledger: string, path: string, body: object): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
      const answer = await fetch(`${ledger}${path}`, init);
      await answer.arrayBuffer();
      return answer.status;
    } catch (error) {
      if (tries === triesMax) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** The trading agent, which writes each of its steps into a ledger outside of the cluster, with its fencing token. */
export default defineAgent<Book, Order, Quote>({
  init: trading.init,
  async handle(book, order, context) {
    const { agent, epoch, taskId: task } = context;
    const handled = await trading.handle(book, order, context);
    if (order.gate) await ask(order.ledger, '/gate', { agent, epoch, task });
    const status = await ask(order.ledger, '/effects', { agent, epoch, task });
    if (status !== 200) throw new Error('the ledger has seen a newer epoch');
    return handled;
  },
});
