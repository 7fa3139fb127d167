"""Who answers, and how: people, the queue and its leases, answers, votes, disagreements, known questions. Must never
import learning, lawmaking, records or privacy."""
