//! The table: API by version, how many answers are equal, differ, or are not given. Pure.

use kafka_protocol::messages::ApiKey;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::value::Difference;

/// How one case went in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both answered the same.
    Equal,
    /// They differ: path, Gregor's, Kafka's.
    Differs(Vec<Difference>),
}

/// Every verdict, and what they add up to.
#[derive(Debug, Default)]
pub struct Scoreboard {
    rows: BTreeMap<i16, Row>,
}

#[derive(Debug, Default)]
struct Row {
    name: String,
    versions: BTreeMap<i16, Cell>,
}

#[derive(Debug, Default)]
struct Cell {
    equal: usize,
    differing: Vec<(&'static str, Vec<Difference>)>,
    served: bool,
}

/// Values longer than this say nothing more.
const SHOWN_MAX: usize = 160;

impl Scoreboard {
    /// A row for an API that Kafka advertises.
    pub fn expect(
        &mut self,
        key: i16,
        versions: std::ops::RangeInclusive<i16>,
        served: impl Fn(i16) -> bool,
    ) {
        let row = self.rows.entry(key).or_default();
        row.name = ApiKey::try_from(key).map_or_else(|()| format!("API {key}"), |key| format!("{key:?}"));
        for version in versions {
            row.versions.entry(version).or_default().served = served(version);
        }
    }

    /// Adds a verdict.
    pub fn add(&mut self, key: ApiKey, version: i16, case: &'static str, verdict: Verdict) {
        let cell = self.rows.entry(key as i16).or_default().versions.entry(version).or_default();
        match verdict {
            Verdict::Equal => cell.equal += 1,
            Verdict::Differs(found) => cell.differing.push((case, found)),
        }
    }

    /// Equal answers and all compared ones.
    pub fn score(&self) -> (usize, usize) {
        let cells = self.rows.values().flat_map(|row| row.versions.values());
        cells.fold((0, 0), |(equal, all), cell| (equal + cell.equal, all + cell.equal + cell.differing.len()))
    }

    /// Versions that Kafka advertises, and how many of them Gregor does.
    pub fn served(&self) -> (usize, usize) {
        let cells = self.rows.values().flat_map(|row| row.versions.values());
        cells.fold((0, 0), |(served, all), cell| (served + usize::from(cell.served), all + 1))
    }

    /// The document.
    pub fn markdown(&self, kafka: &str) -> String {
        let ((equal, compared), (served, versions)) = (self.score(), self.served());
        let share = 100.0 * equal as f64 / (compared.max(1)) as f64;
        let mut text = format!(
            "# Conformance scoreboard\n\nWritten by `tests/run conformance`: the same requests to a Gregor cluster and to an {kafka}\n\
             cluster in the same state, answers compared field by field. Ids, ports, directories and times that only one cluster\n\
             can have are exchanged for their names first; lists of structures have no order.\n\n\
             **{equal} of {compared} answers are equal ({share:.1} %); {served} of {versions} advertised versions are served.**\n\n\
             | API | versions | served | cases | equal | differing |\n| --- | --- | --- | ---: | ---: | ---: |\n"
        );
        for (key, row) in &self.rows {
            let versions = || row.versions.iter();
            let equal: usize = versions().map(|(_, cell)| cell.equal).sum();
            let differing: usize = versions().map(|(_, cell)| cell.differing.len()).sum();
            let range = |keep: &dyn Fn(&Cell) -> bool| {
                let kept: Vec<i16> =
                    versions().filter(|(_, cell)| keep(cell)).map(|(version, _)| *version).collect();
                match (kept.first(), kept.last()) {
                    (Some(first), Some(last)) if first == last => first.to_string(),
                    (Some(first), Some(last)) => format!("{first}-{last}"),
                    _ => "none".to_owned(),
                }
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {key} {} | {} | {} | {} | {equal} | {differing} |",
                row.name,
                range(&|_| true),
                range(&|cell| cell.served),
                equal + differing,
            );
        }
        text.push_str("\n## Differences\n\n");
        for row in self.rows.values() {
            for (case, (versions, found)) in row.differences() {
                let _ = writeln!(text, "- {} v{versions}, {case}", row.name);
                for (path, ours, theirs) in found.iter().take(4) {
                    let _ =
                        writeln!(text, "  - `{path}`: Gregor `{}`, Kafka `{}`", short(ours), short(theirs));
                }
                if found.len() > 4 {
                    let _ = writeln!(text, "  - and {} more", found.len() - 4);
                }
            }
        }
        text
    }
}

impl Row {
    /// The differing cases: the versions each differs in, and how in the last of them.
    fn differences(&self) -> BTreeMap<&'static str, (String, &[Difference])> {
        let mut cases: BTreeMap<&'static str, (Vec<i16>, &[Difference])> = BTreeMap::new();
        for (version, cell) in &self.versions {
            for (case, found) in &cell.differing {
                let entry = cases.entry(case).or_insert((Vec::new(), found));
                entry.0.push(*version);
                entry.1 = found;
            }
        }
        let listed = |versions: Vec<i16>| versions.iter().map(i16::to_string).collect::<Vec<_>>().join(" ");
        cases.into_iter().map(|(case, (versions, found))| (case, (listed(versions), found))).collect()
    }
}

fn short(value: &str) -> String {
    let cut: String = value.chars().take(SHOWN_MAX).collect();
    let cut = cut.replace('`', "'").replace('\n', " ");
    if value.chars().count() > SHOWN_MAX { format!("{cut}...") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_listed_once_with_all_its_versions() {
        let mut board = Scoreboard::default();
        board.expect(3, 0..=2, |version| version < 2);
        board.add(ApiKey::Metadata, 0, "all", Verdict::Equal);
        let differs = || Verdict::Differs(vec![(".port".to_owned(), "1".to_owned(), "2".to_owned())]);
        board.add(ApiKey::Metadata, 0, "one", differs());
        board.add(ApiKey::Metadata, 1, "one", differs());
        assert_eq!((board.score(), board.served()), ((1, 3), (2, 3)));
        let text = board.markdown("Apache Kafka 3.9");
        assert!(text.contains("| 3 Metadata | 0-2 | 0-1 | 3 | 1 | 2 |"), "{text}");
        assert!(text.contains("- Metadata v0 1, one\n  - `.port`: Gregor `1`, Kafka `2`\n"), "{text}");
    }
}
