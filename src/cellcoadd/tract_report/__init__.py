"""From the datasets of a tract to what its report shows, however they were read."""
