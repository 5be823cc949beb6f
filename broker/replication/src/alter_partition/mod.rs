//! Asking the controller to change ISRs, one request at a time (`AlterPartitionManager`).
