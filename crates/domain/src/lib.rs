//! What Encours decides: money, dates, receivables, commands, events, refusals.
