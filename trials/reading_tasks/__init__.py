"""The tasks a reading can set. A task is one folder here and one in the browser, registered in ``registry``.

A task says how its answer is checked, what the browser is sent when a reading opens, and which columns its answers
fill in the tidy table. It never decides who reads what, when a clock runs, or whether an answer is kept.
"""
