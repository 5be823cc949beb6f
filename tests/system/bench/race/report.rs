//! What the race came to: a table and a plot.

use anyhow::{Context as _, Result};
use gregor_harness::BrokerKind;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What the ratio of Gregor's median to Kafka's should be.
#[derive(Clone, Copy, Debug)]
pub enum Figure {
    /// At most this.
    Less(f64),
    /// At least this.
    More(f64),
}

impl Figure {
    fn holds(self, ratio: f64) -> bool {
        match self {
            Figure::Less(bound) => ratio <= bound,
            Figure::More(bound) => ratio >= bound,
        }
    }

    /// How often better Gregor is.
    fn advantage(self, ratio: f64) -> f64 {
        match self {
            Figure::Less(_) => 1.0 / ratio,
            Figure::More(_) => ratio,
        }
    }
}

#[derive(Debug)]
struct Row {
    name: String,
    unit: &'static str,
    gregor: Vec<f64>,
    kafka: Vec<f64>,
    bound: Option<Figure>,
}

/// The rows, in the order in which they were first noted.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

const PLOT: &str = "results.svg";
const TABLE: &str = "RESULTS.md";

impl Report {
    /// Notes one measurement.
    pub fn note(&mut self, name: &str, unit: &'static str, kind: BrokerKind, value: f64) {
        println!("{kind:?}: {name}: {value:.1} {unit}");
        let at = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            let (gregor, kafka) = (Vec::new(), Vec::new());
            self.rows.push(Row { name: name.to_owned(), unit, gregor, kafka, bound: None });
            self.rows.len() - 1
        });
        match kind {
            BrokerKind::Gregor => self.rows[at].gregor.push(value),
            BrokerKind::Kafka => self.rows[at].kafka.push(value),
        }
    }

    /// What is wanted of a row.
    pub fn bound(&mut self, name: &str, bound: Figure) {
        self.rows.iter_mut().filter(|row| row.name == name).for_each(|row| row.bound = Some(bound));
    }

    /// Writes the table and the plot beside the benchmark's source, and prints the table.
    pub fn write(mut self) -> Result<()> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench");
        for row in &mut self.rows {
            row.gregor.sort_by(f64::total_cmp);
            row.kafka.sort_by(f64::total_cmp);
        }
        let table = self.table()?;
        println!("{table}");
        fs::write(dir.join(TABLE), table)?;
        fs::write(dir.join(PLOT), self.plot()?)?;
        Ok(())
    }

    fn table(&self) -> Result<String> {
        let mut text = String::from("# Gregor and Apache Kafka 3.9, in turns on one machine\n\n");
        writeln!(text, "Written by `tests/bench race`. {}\n", machine()?)?;
        writeln!(
            text,
            "Medians of {} runs; the ratio is Gregor's to Kafka's. Only ratios mean something.\n",
            super::REPETITIONS
        )?;
        writeln!(text, "![Gregor's advantage]({PLOT})\n")?;
        text.push_str("| case | unit | Gregor | Kafka | ratio | wanted | |\n| --- | --- | ---: | ---: | ---: | ---: | --- |\n");
        for row in &self.rows {
            let (gregor, kafka) = (median(&row.gregor)?, median(&row.kafka)?);
            let ratio = gregor / kafka;
            let wanted = match row.bound {
                Some(Figure::Less(bound)) => format!("≤ {bound:.2}"),
                Some(Figure::More(bound)) => format!("≥ {bound:.2}"),
                None => String::new(),
            };
            let verdict = row.bound.map_or("", |bound| if bound.holds(ratio) { "yes" } else { "**no**" });
            let Row { name, unit, .. } = row;
            writeln!(
                text,
                "| {name} | {unit} | {gregor:.1} | {kafka:.1} | {ratio:.2} | {wanted} | {verdict} |"
            )?;
        }
        Ok(text)
    }

    /// A bar for each row: how often better Gregor is, on a logarithmic scale from 1/4 to 256.
    fn plot(&self) -> Result<String> {
        const ROW: f64 = 20.0;
        const LEFT: f64 = 520.0;
        const OCTAVE: f64 = 45.0;
        let rows: Vec<(&Row, Figure)> = self.rows.iter().filter_map(|row| Some((row, row.bound?))).collect();
        let height = ROW * (rows.len() as f64 + 2.0);
        let width = LEFT + 10.0 * OCTAVE + 60.0;
        let one = LEFT + 2.0 * OCTAVE;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <line x1=\"{one}\" x2=\"{one}\" y1=\"{ROW}\" y2=\"{height}\" stroke=\"black\"/>\n\
             <text x=\"{one}\" y=\"14\" text-anchor=\"middle\">as Kafka</text>\n"
        );
        for (number, (row, bound)) in rows.iter().enumerate() {
            let advantage = bound.advantage(median(&row.gregor)? / median(&row.kafka)?);
            let length = advantage.log2().clamp(-2.0, 8.0) * OCTAVE;
            let (x, y) = (one + length.min(0.0), ROW * (number as f64 + 1.2));
            let color = if length < 0.0 { "#c0392b" } else { "#2e7d5b" };
            writeln!(
                svg,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"14\" fill=\"{color}\"/>\
                 <text x=\"{}\" y=\"{}\">{advantage:.1}×</text>",
                LEFT - 8.0,
                y + 11.0,
                row.name.replace('<', "&lt;"),
                length.abs(),
                one + length.max(0.0) + 4.0,
                y + 11.0
            )?;
        }
        svg.push_str("</svg>\n");
        Ok(svg)
    }
}

fn median(sorted: &[f64]) -> Result<f64> {
    sorted.get(sorted.len() / 2).copied().context("a row without figures")
}

/// The machine in a sentence.
fn machine() -> Result<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("\t: unknown");
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kib: u64 = memory.split_whitespace().nth(1).context("no memory")?.parse()?;
    Ok(format!(
        "A virtual machine with {cores} cores ({model}) and {} GiB of memory; clients, brokers and ZooKeeper share it.",
        kib / 1024 / 1024
    ))
}
