//! What `gregor doctor` prints. Pure.

use std::fmt::Write as _;

use gregor_doctor::{Examination, Finding, Loss};
use serde::Serialize;

/// Everything found, in words.
pub(super) fn text(examination: &Examination) -> String {
    let mut text = String::new();
    for finding in &examination.findings {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{finding}");
    }
    let damages = examination.findings.iter().filter(|finding| !finding.kind.is_note()).count();
    let _ = writeln!(
        text,
        "{} partitions, {} records, {} bytes of logs: {damages} damages, {} notes",
        examination.partition_count(),
        examination.records(),
        examination.bytes(),
        examination.findings.len() - damages
    );
    text
}

#[derive(Serialize)]
struct Document<'a> {
    partitions: usize,
    records: u64,
    bytes: u64,
    findings: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    place: &'a str,
    kind: &'static str,
    note: bool,
    what: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<RepairRow<'a>>,
}

#[derive(Serialize)]
struct RepairRow<'a> {
    does: &'a str,
    loses: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_records: Option<LostRow>,
}

#[derive(Serialize)]
struct LostRow {
    from_offset: i64,
    to_offset: Option<i64>,
    readable_records: u64,
    damaged_bytes: u64,
    bytes: u64,
}

/// Everything found, as a JSON document.
pub(super) fn json(examination: &Examination) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Document {
        partitions: examination.partition_count(),
        records: examination.records(),
        bytes: examination.bytes(),
        findings: examination.findings.iter().map(row).collect(),
    })
}

fn row(finding: &Finding) -> Row<'_> {
    let repair = finding.repair.as_ref().map(|repair| RepairRow {
        does: &repair.does,
        loses: repair.loses.to_string(),
        lost_records: match &repair.loses {
            Loss::Records(lost) => Some(LostRow {
                from_offset: lost.from.0,
                to_offset: lost.to.map(|to| to.0),
                readable_records: lost.readable_records,
                damaged_bytes: lost.damaged_bytes,
                bytes: lost.bytes,
            }),
            Loss::Nothing | Loss::Other(_) => None,
        },
    });
    Row {
        place: &finding.place,
        kind: finding.kind.as_str(),
        note: finding.kind.is_note(),
        what: &finding.what,
        repair,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gregor_doctor::{Kind, LostRecords, Repair};
    use gregor_model::Offset;

    #[test]
    fn both_forms_say_the_same() {
        let lost = LostRecords {
            from: Offset(5),
            to: Some(Offset(9)),
            readable_records: 3,
            damaged_bytes: 70,
            bytes: 200,
        };
        let repair = Repair { does: "cuts".to_owned(), loses: Loss::Records(lost), steps: Vec::new() };
        let mut examination = Examination::default();
        examination.findings = vec![
            Finding::new("/d/t-0", Kind::WrongChecksum, "bad").repaired_by(repair),
            Finding::new("/d", Kind::UncleanShutdown, "crashed"),
        ];
        assert_eq!(
            text(&examination),
            "/d/t-0: bad [wrong-checksum]\n  repair: cuts\n  loses: offsets 5 to 8 (200 bytes: 3 readable records, and 70 \
             damaged)\n/d: note: crashed [unclean-shutdown]\n0 partitions, 0 records, 0 bytes of logs: 1 damages, 1 notes\n"
        );
        let json: serde_json::Value = serde_json::from_str(&json(&examination).unwrap()).unwrap();
        assert_eq!(json["findings"][0]["repair"]["lost_records"]["to_offset"], 9);
        assert_eq!(json["findings"][1]["note"], true);
    }
}
