"""One run over several processes: a replay server, collectors, a learner, and who starts them."""
