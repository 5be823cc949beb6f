//! `--describe --state`: a row per group (`ConsumerGroupCommand.printStates`). Pure.

use crate::admin::Node;
use crate::admin::groups::GroupDescription;
use crate::table::fixed;

/// The table of one group.
pub fn table(group: &GroupDescription, coordinator: &Node) -> String {
    let place = format!("{}:{}  ({})", coordinator.host, coordinator.port, coordinator.id);
    let members = group.members.len().to_string();
    let line = |cells: [&str; 5]| {
        let [id, coordinator, assignor, state, members] = cells;
        let width = place.chars().count().max(25);
        format!("\n{}", fixed(&[(id, width), (coordinator, 25), (assignor, 20), (state, 15), (members, 0)]))
    };
    let header = line(["GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "#MEMBERS"]);
    header + &line([&group.id, &place, &group.assignor, &group.state, &members]) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_follow_the_coordinator() {
        let group = GroupDescription {
            id: "g".to_owned(),
            state: "Empty".to_owned(),
            assignor: String::new(),
            coordinator: 1,
            members: Vec::new(),
        };
        let node = Node { id: 1, host: "h".to_owned(), port: 9092, rack: None };
        assert_eq!(
            table(&group, &node),
            "\nGROUP                     COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE           #MEMBERS\
             \ng                         h:9092  (1)                                    Empty           0\n"
        );
    }
}
