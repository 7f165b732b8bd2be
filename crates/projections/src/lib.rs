//! The read model: folds the log into balances, statuses and history.
