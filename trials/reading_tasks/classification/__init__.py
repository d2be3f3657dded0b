"""One scan: a decision and a suspicion of disease, with or without an algorithm's aid; marks where wanted."""
