"""How a label model over rules fares against the majority of rules, without decisions and with some.

`python -m benchmarks.labels_weak`, with SOLON_DATA the folder of recordings (default ../shared/data).
"""

from __future__ import annotations

RULES: dict[str, tuple[str, str]] = {
    "card_arrival": (
        r"\b(waiting|wait|track(ing)?|deliver\w*|arriv\w*|status)\b.*\bcard\b|\bcard\b.*\b(arriv\w*|deliver\w*|track\w*)",
        r"\bnot? (yet )?received\b|don't have my card|\b(a|1|one|two|2) weeks?\b",
    ),
    "card_linking": (
        r"\b(re)?(link|sync|connect|reactivat|reactive|add)\w*\b.*\bcard\b|\bcard\b.*\b(link|reactiv)\w*",
        r"\bcard\b.*\bin the app\b|\bfound\b.*\bcard\b|\bcard\b.*\b(to|on|with|through) (the|my) app\b",
    ),
    "card_payment_fee_charged": (
        r"\b(fees?|charg\w+|free)\b.*\b(card|payments?|paying|pay|paid|purchase)\b",
        r"\bcard\b.*\b(fees?|free|charged)\b|\bfees?\b.*\bcard\b",
    ),
    "declined_card_payment": (
        r"\b(card|credit card)\b.*\b(declin\w+|reject\w+|not accepted)",
        r"\bpayment\b.*\b(declin\w+|\w*n.t work\w*|not work|not complete)|\bdeclin\w+\b.*\bpayment\b",
    ),
    "declined_transfer": (
        r"\btransfers?\b.*\bdeclin\w+|\bdeclin\w+\b.*\btransfers?\b",
        r"\bdeclin\w+\b.*\b(online|twice|times)\b|\bonline\b.*\bdeclin\w+",
    ),
    "exchange_rate": (r"\bexchange\b|\bforeign\b|\bcurrenc\w+", r"\brates?\b"),
    "failed_transfer": (
        r"\btransfers?\b.*\b(fail\w*|\w*n.t work|not (to )?work|not go through|\w*n.t go through|unsuccessful)",
        r"\b(unsuccessful|fail\w*|could(n.t| not)|unable|not able|\w*n.t complete|error|returned)\b.*\btransfer\w*"
        r"|\btransfer\w*\b.*\b(could(n.t| not)|can't|error|returned|issue)",
    ),
    "lost_or_stolen_card": (r"\b(stol\w+|steal|theft|taken)\b", r"\b(lost|missing|locate|can't find|cannot find)\b"),
    "pending_transfer": (r"\bpend(ing|s)?\b", r"\b(still|yet|has ?n.t)\b.*\btransfer|\btransfer\w*\b.*\b(still|yet)\b"),
    "top_up_failed": (
        r"\btop(ped|ping)?[- ]?ups?\b",
        r"\b(fail\w*|denied|unsuccessful|not work|\w*n.t work|not accept)\b",
    ),
    "transfer_fee_charged": (
        r"\b(fees?|charg\w+|free)\b.*\btransfer\w*|\btransfer\w*\b.*\b(fees?|charg\w+|free)",
        r"\b(extra|additional)\b.*\b(charg\w+|fees?)|\bdid not get the same\b|\bless than\b",
    ),
    "transfer_timing": (
        r"\bhow (long|soon|many days)\b",
        r"\b(when|fastest|days?|approximate\w*)\b.*\b(transfer\w*|money|funds|account)\b",
    ),
}
