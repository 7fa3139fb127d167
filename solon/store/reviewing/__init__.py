"""Who answers, and how: people, the queue and its leases, answers, votes, disagreements, known questions."""
