//! Groups whose members assign among themselves: JoinGroup, SyncGroup, Heartbeat, LeaveGroup (`ClassicGroup`).
//!
//! A group belongs to one [`super::state::Group`], which keeps its committed offsets. Invariant: what is changed at once
//! (who is a member, who waits) dies with the broker; assignments show when their record is committed.

mod admin;
mod join;
mod leave;
mod member;
mod rebalance;
mod state;
mod sync;

pub(super) use state::{ClassicGroup, ClassicState};
