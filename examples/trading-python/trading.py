"""What is known of a symbol after each price: the figures of ../trading/agent.ts, operation by operation."""

import math
import re

SYMBOLS_MAX = 1000
SYMBOL = re.compile(r"[A-Z][A-Z0-9.-]{0,15}")


def checked_tick(task):
    """Tasks come from outside: whatever is not a tick is refused, in words for its sender."""
    if not isinstance(task, dict):
        raise ValueError('a tick looks like {"symbol": "MSFT", "price": 39.81}')
    symbol, price = task.get("symbol"), task.get("price")
    if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
        raise ValueError('symbol must be a capital and up to 15 capitals, digits, "." or "-", such as "MSFT"')
    if isinstance(price, bool) or not isinstance(price, (int, float)) or not 0 < price < math.inf:
        raise ValueError(f"price of {symbol} must be a number above 0")
    return symbol, price


def variance_of(figures):
    """Sample variance; 0 for fewer than two prices."""
    return 0 if figures["count"] < 2 else figures["squares"] / (figures["count"] - 1)


def position_after(before, price):
    """One more share at a price above the last and the mean; none at one deviation below the mean; else as it was."""
    if price < before["mean"] - math.sqrt(variance_of(before)):
        return 0
    rises = price > before["last"] and price > before["mean"]
    return before["position"] + 1 if rises else before["position"]


def after(before, price):
    """Mean and squares by B. P. Welford, Technometrics 4 (1962): one pass, and no difference of large sums."""
    if before is None:
        return {"count": 1, "mean": price, "squares": 0, "high": price, "low": price, "last": price, "position": 0}
    count = before["count"] + 1
    mean = before["mean"] + (price - before["mean"]) / count
    return {
        "count": count,
        "mean": mean,
        "squares": before["squares"] + (price - before["mean"]) * (price - mean),
        "high": max(before["high"], price),
        "low": min(before["low"], price),
        "last": price,
        "position": position_after(before, price),
    }


def take(book, task):
    """Puts a tick into the book, symbols in alphabetical order, and returns the figures of its symbol."""
    symbol, price = checked_tick(task)
    if symbol not in book:
        if len(book) >= SYMBOLS_MAX:
            raise ValueError(f"the book has its most symbols ({SYMBOLS_MAX})")
        names = sorted([*book, symbol])
        known = {name: book.get(name) for name in names}
        book.clear()
        book.update(known)
    figures = after(book[symbol], price)
    book[symbol] = figures
    return {"symbol": symbol, **figures, "variance": variance_of(figures)}
