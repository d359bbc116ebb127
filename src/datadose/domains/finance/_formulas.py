"""The formulas behind the computed finance items. Rates are in percent, money in dollars."""

from __future__ import annotations

import math


def simple_interest(principal: float, percent: float, years: float) -> float:
    """Interest that is not itself added to the principal."""
    return principal * percent / 100 * years


def compound_interest(principal: float, percent: float, years: float) -> float:
    """Interest over the whole time, added to the principal once a year."""
    return principal * math.pow(1 + percent / 100, years) - principal


def monthly_interest(balance: float, yearly_percent: float, months: float = 1) -> float:
    """Interest on a balance for some months, without compounding."""
    return balance * yearly_percent / 1200 * months


def present_value(amount: float, percent: float, years: float) -> float:
    """What an amount due after some years is worth today."""
    return amount / math.pow(1 + percent / 100, years)


def net_present_value(cost: float, amount: float, percent: float, years: float) -> float:
    """Present value of one flow less what is paid for it today."""
    return present_value(amount, percent, years) - cost


def perpetuity(payment: float, percent: float) -> float:
    """Value today of a payment made every year for ever."""
    return payment / percent * 100


def years_to_multiply(percent: float, rule: float = 72) -> float:
    """Years to double by the rule of 72; the rules of 114 and 144 are for three and four times."""
    return rule / percent


def percent_of(part: float, whole: float) -> float:
    """Part over whole in percent."""
    return 100 * part / whole


def less_percent(price: float, percent: float) -> float:
    """A price after a discount in percent."""
    return price * (1 - percent / 100)


def plus_percent(price: float, percent: float) -> float:
    """A price after a tax or markup in percent."""
    return price * (1 + percent / 100)


def commission(sale: float, percent: float) -> float:
    """An agent's share of a sale."""
    return sale * percent / 100


def margin(price: float, cost: float) -> float:
    """Profit in percent of the price."""
    return percent_of(price - cost, price)


def markup(price: float, cost: float) -> float:
    """Profit in percent of the cost."""
    return percent_of(price - cost, cost)


def price_from_margin(cost: float, percent: float) -> float:
    """Price of which the profit is so many percent."""
    return cost / (1 - percent / 100)


def percent_change(old: float, new: float) -> float:
    """Change in percent of the old value."""
    return percent_of(new - old, old)


def exchange(amount: float, rate: float) -> float:
    """An amount in another currency, at `rate` units of it for one."""
    return amount * rate


def ratio(above: float, below: float) -> float:
    """One figure over another: current ratio, debt to equity, price to earnings, split price."""
    return above / below


def quick_ratio(assets: float, stock: float, debts: float) -> float:
    """Current assets without the stock, over current debts."""
    return (assets - stock) / debts


def break_even(fixed: float, price: float, cost: float) -> float:
    """Units to sell until the profit on each has paid the fixed costs."""
    return fixed / (price - cost)


def straight_line(cost: float, residual: float, years: float) -> float:
    """Depreciation of a year, the same in every year."""
    return (cost - residual) / years


def average_cost(count: float, cost: float, more: float, new_cost: float) -> float:
    """Cost of a unit after two purchases, weighted by their counts."""
    return (count * cost + more * new_cost) / (count + more)


def cost_of_sales(
    sold: float, first: float, first_cost: float, second: float, second_cost: float
) -> float:
    """Cost of the units sold, where the first lot leaves before the second."""
    early = min(sold, first)
    return early * first_cost + min(sold - early, second) * second_cost


def earnings_per_share(profit: float, preferred: float, shares: float) -> float:
    """Profit left for the common shares, over their number."""
    return (profit - preferred) / shares


def required_return(safe: float, beta: float, market: float) -> float:
    """Capital asset pricing model: safe rate plus beta times the market's excess over it."""
    return safe + beta * (market - safe)
