//! What a group's state means for what is shown of it (`ConsumerGroupCommand.shouldPrintMemberState`). Pure.

/// Something to say before a group is shown, if at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An error, for stdout and stderr.
    Error(String),
    /// A remark, for stderr.
    Remark(String),
}

/// What to say of a group in this state, and whether its `rows` rows are shown.
pub fn judge(group: &str, state: &str, rows: usize) -> (Option<Notice>, bool) {
    let notice = match state {
        "Dead" => Some(Notice::Error(format!("Consumer group '{group}' does not exist."))),
        "Empty" => Some(Notice::Remark(format!("Consumer group '{group}' has no active members."))),
        "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
            Some(Notice::Remark(format!("Warning: Consumer group '{group}' is rebalancing.")))
        }
        _ => None,
    };
    (notice, state != "Dead" && rows > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states() {
        let error = Notice::Error("Consumer group 'g' does not exist.".to_owned());
        let empty = Notice::Remark("Consumer group 'g' has no active members.".to_owned());
        let moving = Notice::Remark("Warning: Consumer group 'g' is rebalancing.".to_owned());
        for (state, rows, expected) in [
            ("Stable", 1, (None, true)),
            ("Stable", 0, (None, false)),
            ("Dead", 1, (Some(error), false)),
            ("Empty", 2, (Some(empty), true)),
            ("PreparingRebalance", 2, (Some(moving), true)),
        ] {
            assert_eq!(judge("g", state, rows), expected, "{state}");
        }
    }
}
