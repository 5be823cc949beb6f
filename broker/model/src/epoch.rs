//! Epochs and versions: counters that fence whoever is out of date. Each kind is its own type, so that none is compared with another.

use std::fmt;

macro_rules! epoch {
    ($(#[$doc:meta])* $name:ident, $int:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl $name {
            /// The epoch, or `None` for the wire's -1.
            pub fn from_wire(value: $int) -> Option<$name> {
                (value >= 0).then_some($name(value))
            }

            /// The wire's form of an epoch that may be absent: -1 for `None`.
            pub fn to_wire(epoch: Option<$name>) -> $int {
                epoch.map_or(-1, |epoch| epoch.0)
            }

            /// The epoch after this one.
            #[must_use]
            pub fn next(self) -> $name {
                $name(self.0.wrapping_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

epoch! {
    /// Raised by every leader election of a partition; stored in each batch that the leader appends. The first is 0.
    LeaderEpoch, i32
}
epoch! {
    /// Raised by every controller election (`/controller_epoch`). The first elected controller has 1.
    ControllerEpoch, i32
}
epoch! {
    /// The czxid of a broker's registration znode: a later registration of the same id has a larger one.
    BrokerEpoch, i64
}
epoch! {
    /// The version of a partition's state znode (`zkVersion`, later "partition epoch"): every change of leader or ISR raises it.
    PartitionEpoch, i32
}
epoch! {
    /// The data version of a znode, as conditional writes expect it.
    ZnodeVersion, i32
}
