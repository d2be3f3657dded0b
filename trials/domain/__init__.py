"""Pure rules of a trial: protocol, states, allocation, balance, item draw, times, blinding. No framework."""
