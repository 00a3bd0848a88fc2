"""How likely bands find a pair. Source: Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.4.2."""

from shared.spec import Channel


def candidate_probability(channel: Channel, similarity: float) -> float:
    """The probability that a pair shares a bucket (draws aside), by its similarity from 0 to 1.

    The similarity is the measure of the channel's match rule: for `hamming` the share of equal bits,
    else the Jaccard similarity of the token sets.
    """
    if channel.match.rule == "hamming":  # of n bits, f n tokens are common and (2 - f) n are in the union
        similarity = similarity / (2 - similarity)
    miss: float = (1 - similarity**channel.bands.rows) ** channel.bands.count
    return 1 - miss
