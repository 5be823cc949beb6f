//! LeaveGroup: members go, by their own will or an administrator's.

use super::super::GroupError;
use super::super::request::Leaver;
use super::super::timers::TimerKind;
use super::super::turn::Turn;
use super::state::ClassicGroup;

impl ClassicGroup {
    /// Takes one member out.
    ///
    /// # Errors
    /// It is not a member, or no longer the one behind its instance id.
    pub(in crate::group) fn leave(&mut self, turn: &mut Turn<'_>, leaver: &Leaver) -> Result<(), GroupError> {
        if leaver.member.is_empty() {
            let named = leaver.instance.as_ref().and_then(|instance| self.static_members.get(instance));
            let id = named.cloned().ok_or(GroupError::UnknownMemberId)?;
            self.remove_and_rebalance(turn, &id);
        } else if self.pending_members.remove(&leaver.member) {
            turn.stop_timer(&self.id, TimerKind::Pending(leaver.member.clone()));
            self.try_complete_join(turn);
        } else {
            self.check_member(&leaver.member, leaver.instance.as_ref())?;
            self.remove_and_rebalance(turn, &leaver.member);
        }
        Ok(())
    }
}
