//! Simulated disk and clock, workload generator and reference model, for tests.
