//! Opens days and runs what is due.
