"""Feature flags of Gateline."""
