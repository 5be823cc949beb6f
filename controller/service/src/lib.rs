//! gregor-controller-service.
