//! gregor-controller-machine.
