//! Fetching from leaders: the rules per partition, and the tasks that do it (`AbstractFetcherThread`, `ReplicaFetcherManager`).
